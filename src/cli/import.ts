import { createInterface } from 'node:readline'
import { readConfig } from '../config.ts'
import type { ImportResult } from '../core/import.ts'
import { checkDatabase } from '../main.ts'
import { createServices } from '../services.ts'
import { createLogger } from '../telemetry.ts'
import type { Command, Terminal } from './command.ts'

/** Lines judged together; at most so many are lost to an interruption, and they are simply sent again. */
const BATCH = 500

/** The same rows as POST /integrations/import takes, from a pipe: nobody has to keep a file of tokens. */
export const importCommand: Command = {
  name: 'import',
  summary:
    'Takes over connections from newline-delimited JSON on standard input (rows as for `POST /integrations/import`). Judges only, without `--apply`; may be interrupted and repeated',
  usage: '[--apply] < rows.ndjson',
  options: { apply: { type: 'boolean' } },
  async run({ flags }, terminal) {
    const services = createServices(readConfig(terminal.env), createLogger('silent'))
    const totals = { imported: 0, unchanged: 0, skipped: 0, invalid: 0 }
    const dryRun = flags['apply'] !== true
    let line = 0
    async function take(batch: { line: number; row: unknown }[]): Promise<void> {
      const results = await services.imports.run(
        batch.map(({ row }) => row),
        { caller: 'token-broker import', dryRun },
      )
      results.forEach((result, i) => tell(result, batch[i]!.line, terminal))
      for (const { result } of results) totals[result]++
      terminal.out(`${line} lines: ${summary(totals)}`)
    }
    try {
      await checkDatabase(services)
      let batch: { line: number; row: unknown }[] = []
      for await (const text of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
        line++
        if (text.trim() === '') continue
        batch.push({ line, row: parse(text) })
        if (batch.length < BATCH) continue
        await take(batch)
        batch = []
      }
      if (batch.length > 0) await take(batch)
      terminal.out(`${dryRun ? 'Dry run, nothing was stored (--apply stores)' : 'Done'}. ${summary(totals)}`)
      return totals.invalid === 0 ? 0 : 1
    } finally {
      await services.close()
    }
  },
}

/** What is no JSON becomes a row that is judged invalid. The parser's words quote the text, which holds tokens. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function tell(result: ImportResult, line: number, { err }: Terminal): void {
  if (result.result !== 'invalid' && result.result !== 'skipped') return
  const user = result.userId === undefined ? '' : ` user ${result.userId}`
  err(
    `line ${line}${user}: ${result.result}: ${result.result === 'skipped' ? result.reason : result.reasons.join('; ')}`,
  )
}

const summary = (totals: Record<string, number>): string =>
  Object.entries(totals)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
