// npm run drills [name…]: breaks what can break, one drill after the other; each says what it did and counted. Exits 1 on any miss.
import type { Drill } from './deployment.ts'
import { kill } from './kill.ts'
import { outage } from './outage.ts'
import { pgbouncer } from './pgbouncer.ts'
import { readers } from './readers.ts'
import { restart } from './restart.ts'
import { rolling } from './rolling.ts'
import { stop } from './stop.ts'

const DRILLS: Record<string, Drill> = { readers, kill, stop, outage, restart, rolling, pgbouncer }

async function main(wanted: readonly string[]): Promise<boolean> {
  const unknown = wanted.filter((name) => !Object.hasOwn(DRILLS, name))
  if (unknown.length > 0) {
    console.error(`no such drill: ${unknown.join(', ')}; there are ${Object.keys(DRILLS).join(', ')}`)
    return false
  }
  let missed = 0
  for (const key of wanted.length > 0 ? wanted : Object.keys(DRILLS)) {
    const { name, run } = DRILLS[key]!
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

if (import.meta.main) process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
