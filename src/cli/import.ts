import { createInterface } from 'node:readline'
import { readConfig } from '../config.ts'
import type { ImportResult } from '../core/import.ts'
import { recordCommand } from '../db/audit-entries.ts'
import { checkDatabase } from '../main.ts'
import { createServices } from '../services.ts'
import { createLogger } from '../telemetry.ts'
import type { Command, Terminal } from './command.ts'

/** Rows that are imported together. An interruption loses at most one batch, which can be sent again. */
const BATCH_ROWS = 500

/** The rows of POST /integrations/import, from a pipe, so that no file has to hold tokens. */
export const importCommand: Command = {
  name: 'import',
  summary:
    'Imports connections from newline-delimited JSON on standard input (the rows of `POST /integrations/import`). Without `--apply` ' +
    'it only checks the rows. It may be interrupted and repeated',
  usage: '[--apply] < rows.ndjson',
  options: { apply: { type: 'boolean' } },
  async run({ flags }, terminal) {
    const services = createServices(readConfig(terminal.env), createLogger('silent'))
    const totals = { imported: 0, unchanged: 0, skipped: 0, invalid: 0 }
    const dryRun = flags['apply'] !== true
    let line = 0
    async function importBatch(batch: { line: number; row: unknown }[]): Promise<void> {
      const results = await services.imports.run(
        batch.map(({ row }) => row),
        { caller: 'token-broker import', dryRun },
      )
      results.forEach((result, i) => printProblem(result, batch[i]!.line, terminal))
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
        if (batch.length < BATCH_ROWS) continue
        await importBatch(batch)
        batch = []
      }
      if (batch.length > 0) await importBatch(batch)
      if (!dryRun) await recordCommand(services.database, 'import', totals)
      terminal.out(`${dryRun ? 'Dry run: nothing was stored. Use --apply to store' : 'Done'}. ${summary(totals)}`)
      return totals.invalid === 0 ? 0 : 1
    } finally {
      await services.close()
    }
  },
}

/** A line that is not JSON becomes an invalid row. The message of the parser quotes the line, which holds tokens. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function printProblem(result: ImportResult, line: number, { err }: Terminal): void {
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
