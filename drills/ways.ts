/** A primary with a streaming standby, and how brokers are led from one to the other (docs/operations.md). */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, startDatabase } from '../sandbox/database.ts'
import { openRelay } from '../sandbox/relay.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { expect } from './deployment.ts'

export const WAYS = {
  hosts: 'several hosts in DATABASE_URL',
  proxy: 'through a proxy',
  dns: 'by a name whose address changes',
}
export type WayName = keyof typeof WAYS

export interface Pair {
  primary: Database
  standby: Database
  /** Brokers reach the database of this URL like this. */
  via(url: string): string
  /** The same database on the standby. */
  there(url: string): string
  nodeFlags: readonly string[]
  /** Leads brokers to the standby. Nothing to do with several hosts. */
  lead(): void
  close(): Promise<void>
}

const NAME = 'db.drill.example'
const OTHER_ADDRESS = '127.0.0.2'

/**
 * Node's own resolver would need a name server: this one reads the address of the name from a file, each time that
 * somebody asks.
 */
const lookupOf = (file: string): string => `
import dns from 'node:dns'
import { readFileSync } from 'node:fs'
const { lookup } = dns
dns.lookup = (host, options, done = options) => {
  if (host !== ${JSON.stringify(NAME)}) return lookup(host, options, done)
  const address = readFileSync(${JSON.stringify(file)}, 'utf8')
  options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4)
}
`

export async function startPair(way: WayName): Promise<Pair> {
  expect(way !== 'dns' || process.platform === 'linux', `a second address of this machine (${OTHER_ADDRESS}): Linux`)
  const primary = await startDatabase()
  // A copy, so that the address of the standby is known when the URL is made.
  await primary.createDatabase('token_broker')
  await primary.stop()
  const standby = await startDatabase({
    from: primary,
    standbyOf: primary.port,
    ...(way === 'dns' ? { host: OTHER_ADDRESS, port: primary.port } : {}),
  })
  await primary.start()
  const { hostname, port } = new URL(standby.url)
  const pair = {
    primary,
    standby,
    nodeFlags: [],
    there: (url: string) => Object.assign(new URL(url), { hostname, port }).href,
    close: () => standby.close(),
  }
  if (way === 'hosts')
    return {
      ...pair,
      lead: () => {},
      via: (url) =>
        url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`) +
        '?target_session_attrs=read-write',
    }
  if (way === 'proxy') {
    let to = primary.port
    const relay = await openRelay({ to: () => to })
    return {
      ...pair,
      via: (url) => Object.assign(new URL(url), { port: String(relay.port) }).href,
      lead() {
        to = standby.port
        relay.dropIdle()
      },
      close: async () => void (await Promise.all([relay.close(), standby.close()])),
    }
  }
  const folder = temporaryFolder('token-broker-names')
  const [address, resolver] = [join(folder, 'address'), join(folder, 'resolver.mjs')]
  writeFileSync(address, '127.0.0.1')
  writeFileSync(resolver, lookupOf(address))
  return {
    ...pair,
    via: (url) => Object.assign(new URL(url), { hostname: NAME }).href,
    nodeFlags: ['--import', resolver],
    lead: () => writeFileSync(address, OTHER_ADDRESS),
    async close() {
      await standby.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
