// `node bench/growth.ts [--sizes 1000,100000]`: what becomes slower as the table grows. Prints a table. 1,000,000
// integrations are measured by hand.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { deploy, expect, type Deployment } from '../drills/deployment.ts'
import { startGenerator, type Generator } from './generator.ts'
import { median } from './processes.ts'
import { build, fill, NODE_FLAGS } from './world.ts'

const { values: flags } = parseArgs({ options: { sizes: { type: 'string', default: '1000,100000' } } })
const SIZES = flags.sizes.split(',').map(Number)
const DUE = 200
/** Keep-alive makes one refresh a second. */
const SWEPT = 10
const IMPORTED = 100_000
const LATENCY_MS = 100

build()

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Runs the command line of the broker as operators do. Resolves with what it printed; throws if it could not run. */
async function command(deployment: Deployment, args: string[], input?: () => Iterable<string>): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../src/cli.ts', import.meta.url)), ...args], {
    env: deployment.env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  // A command that failed reads no further: its exit status says so.
  child.stdin.on('error', () => {})
  for (const line of input?.() ?? [])
    if (!child.stdin.write(line) && child.exitCode === null)
      await Promise.race([ended, new Promise((resolve) => child.stdin.once('drain', resolve))])
  child.stdin.end()
  const code = await ended
  // doctor exits 1 if somebody must act.
  if (code !== 0 && args[0] !== 'doctor') throw new Error(`${args.join(' ')}: exit ${code}\n${text.slice(-2_000)}`)
  return text
}

function* rowsToImport(): Iterable<string> {
  const updatedAt = new Date().toISOString()
  for (let i = 0; i < IMPORTED; i++)
    yield `${JSON.stringify({
      user_id: `imported-${i}`,
      refresh_token: `${i}-${'r'.repeat(1_200)}`,
      scopes: ['User.Read', 'Files.ReadWrite.All'],
      updated_at: updatedAt,
    })}\n`
}

async function measure(size: number, generator: Generator): Promise<Record<string, string>> {
  const deployment = await deploy({ env: { DATABASE_POOL_SIZE: '20', CALLER_REQUESTS_PER_MINUTE: '10000000' } })
  try {
    const { sql } = deployment
    await fill(sql, deployment.env['SEALING_KEYS']!, 0, size)
    const due = await deployment.users('due', DUE)
    await sql`vacuum analyze`
    const broker = await deployment.start(undefined, NODE_FLAGS, true)
    const round = { ...deployment.caller, port: Number(new URL(broker.internalUrl).port), milliseconds: 60_000 }
    const reads = {
      ...round,
      milliseconds: 3_000,
      connections: 2,
      requests: 20_000,
      users: { prefix: 'u', from: 0, to: size - 1 },
    }
    await generator.run(reads)
    const p50 = median([await generator.run(reads), await generator.run(reads)].map((result) => result.p50))

    deployment.entra.control.misbehave('latency', LATENCY_MS)
    const refreshes: number[] = []
    for (let i = 0; i < 20; i++) {
      await deployment.setRemaining(due, -1)
      const users = { prefix: 'due-', from: 1, to: DUE, once: true }
      const { took, answered } = await generator.run({ ...round, connections: 50, requests: DUE, users })
      expect(answered === DUE, `${answered} answers`)
      if (i >= 10) refreshes.push(took)
    }
    deployment.entra.control.behave('latency')

    const client = deployment.client(() => broker.internalUrl)
    const pages: number[] = []
    for (let i = 0; i < 20; i++)
      pages.push(
        await timed(async () => {
          const { status } = await client.send('GET', `/integrations?after=u${Math.floor((i / 20) * size)}&limit=100`)
          expect(status === 200, `a page of the list: ${status}`)
        }),
      )

    await sql`update oauth2_integration set refreshed_at = now() - interval '60 days', last_used_at = now()
      where user_id in ${sql(due.slice(0, SWEPT))}`
    const before = deployment.calls()
    const forecast = await timed(() => command(deployment, ['keep-alive']))
    let swept = ''
    const sweep = await timed(async () => (swept = await command(deployment, ['keep-alive', '--apply'])))
    const fleet = await timed(() => command(deployment, ['doctor', '--fleet']))
    // The replica sweeps too, so the command may find fewer that are due.
    const refreshed = deployment.calls() - before
    expect(refreshed === SWEPT, `${refreshed} of ${SWEPT} refreshed; the command: ${swept}`)
    const imported = await timed(() => command(deployment, ['import', '--apply'], rowsToImport))
    return {
      'read of a random user, two readers, p50': `${p50.toFixed(2)} ms`,
      '200 refreshes at once, 50 callers, 100 ms at Microsoft': `${median(refreshes).toFixed(0)} ms`,
      'page of 100 of GET /integrations': `${median(pages).toFixed(1)} ms`,
      'keep-alive: dry run': `${(forecast / 1_000).toFixed(1)} s`,
      [`keep-alive: sweep with ${SWEPT} due, one a second`]: `${(sweep / 1_000).toFixed(1)} s (${/refreshed \d+/.exec(swept)?.[0] ?? swept} by the command)`,
      'doctor --fleet': `${(fleet / 1_000).toFixed(1)} s`,
      [`import of ${IMPORTED} rows`]: `${(imported / 1_000).toFixed(0)} s`,
    }
  } finally {
    await deployment.close()
  }
}

const generator = startGenerator()
try {
  const columns: Record<string, string>[] = []
  for (const size of SIZES) columns.push(await measure(size, generator))
  console.log(['', ...SIZES.map(String)].map((cell, i) => (i === 0 ? cell.padEnd(56) : cell.padEnd(22))).join(''))
  for (const name of Object.keys(columns[0]!))
    console.log([name.padEnd(56), ...columns.map((column) => column[name]!.padEnd(22))].join(''))
} finally {
  generator.stop()
}
