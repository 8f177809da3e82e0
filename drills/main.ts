// npm run drills [name…] [-- --from <git ref>]: runs the drills one after the other. Each breaks something and prints
// what it did and counted. Exits 1 if a target is missed.
import { parseArgs } from 'node:util'
import { findPooler } from '../sandbox/pooler.ts'
import { audit } from './audit.ts'
import type { Drill } from './deployment.ts'
import { failoverBy } from './failover.ts'
import { federation } from './federation.ts'
import { freeze } from './freeze.ts'
import { kill } from './kill.ts'
import { moveSignedApi, moveToAnotherHostName, moveToNewerPostgres } from './move.ts'
import { network } from './network.ts'
import { outage } from './outage.ts'
import { queries } from './queries.ts'
import { readers } from './readers.ts'
import { restart } from './restart.ts'
import { rewindByCopy, rewindByDump, rewindByPromotion, rewindToPointInTime } from './rewind.ts'
import { rolling } from './rolling.ts'
import { stop } from './stop.ts'
import { strangers } from './strangers.ts'
import { upgradeFrom } from './upgrade.ts'

const DIRECT: Record<string, Drill> = {
  queries,
  readers,
  kill,
  stop,
  restart,
  rolling,
  freeze,
}

/** Nothing in them depends on how the broker reaches Postgres. */
const DIRECT_ONLY = { audit, federation, network, outage, strangers }

/** The others again, with brokers behind PgBouncer in transaction mode (docs/design.md#database). */
const POOLED = Object.fromEntries(
  Object.entries(DIRECT).map(([key, { name, run }]): [string, Drill] => [
    `pgbouncer:${key}`,
    {
      name: `${name}, through PgBouncer`,
      async run() {
        const { version, prepares } = findPooler()
        return `${await run({ pooled: true })}; PgBouncer ${version}, DATABASE_PREPARE=${prepares ? 'on' : 'off'}`
      },
    },
  ]),
)

async function main(argv: string[]): Promise<boolean> {
  // `--from`: the release that the upgrade drill begins with.
  const {
    positionals: wanted,
    values: { from },
  } = parseArgs({ args: argv, options: { from: { type: 'string' } }, allowPositionals: true })
  const drills: Record<string, Drill> = {
    ...DIRECT,
    ...DIRECT_ONLY,
    'failover:hosts': failoverBy('hosts'),
    'failover:proxy': failoverBy('proxy'),
    'failover:dns': failoverBy('dns'),
    'rewind:hosts': rewindByPromotion('hosts'),
    'rewind:proxy': rewindByPromotion('proxy'),
    'rewind:dns': rewindByPromotion('dns'),
    'rewind:copy': rewindByCopy,
    'rewind:dump': rewindByDump,
    'rewind:point-in-time': rewindToPointInTime,
    'move:postgres': moveToNewerPostgres,
    'move:host-name': moveToAnotherHostName,
    'move:signed-api': moveSignedApi,
    upgrade: upgradeFrom(from),
    ...POOLED,
  }
  const unknown = wanted.filter((name) => !Object.hasOwn(drills, name))
  if (unknown.length > 0) {
    console.error(`no such drill: ${unknown.join(', ')}; there are ${Object.keys(drills).join(', ')}`)
    return false
  }
  let missed = 0
  for (const key of wanted.length > 0 ? wanted : Object.keys(drills)) {
    const { name, run } = drills[key]!
    const began = performance.now()
    const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`
    try {
      const counted = await run()
      console.log(`✓ ${key}: ${name} (${seconds()})\n    ${counted}`)
    } catch (error) {
      missed += 1
      console.log(`✗ ${key}: ${name} (${seconds()})\n    ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return missed === 0
}

// A drill that failed may leave a load or a process behind: it must not hold up the end.
if (import.meta.main) process.exit((await main(process.argv.slice(2))) ? 0 : 1)
