import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { localhostCertificate } from '../sandbox/entra/certificate.ts'
import { openRelay, type Fault, type Relay } from '../sandbox/relay.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { deploy, type Drill, expect, pause, statuses } from './deployment.ts'
import { startLoad } from './load.ts'

const USERS = 24
const CALLERS = 6
/** How long a fault of all connections lasts. */
const FAULT_MS = 3_000
/** Longer than a time-out of 5 s and the longest back-off of 30 s: then something is stuck. */
const RECOVERS_WITHIN_MS = 40_000

const page = (status: number): Fault => ({ kind: 'page', status, body: '<h1>Filtered</h1>' })

/** `passes`: the fault is over at once, because it is of the connections that are there. */
const FAULTS: { name: string; begin(relay: Relay): void; passes?: true }[] = [
  { name: 'kept connections silent', begin: (relay) => relay.fail({ kind: 'silent' }, 'kept'), passes: true },
  { name: 'kept connections reset', begin: (relay) => relay.fail({ kind: 'reset' }, 'kept'), passes: true },
  { name: 'idle connections dropped', begin: (relay) => relay.dropIdle(), passes: true },
  { name: 'slow answers', begin: (relay) => relay.fail({ kind: 'slow', bytes: 500, everyMs: 20 }, 'all') },
  { name: 'cut in the body', begin: (relay) => relay.fail({ kind: 'cut', afterBytes: 1_200 }, 'all') },
  { name: 'filter page 403', begin: (relay) => relay.fail(page(403), 'all') },
  { name: 'captive portal 200', begin: (relay) => relay.fail(page(200), 'all') },
]

/** A broker under load; every read needs a refresh, over TLS, past a gateway that fails in every way. */
export const network: Drill = {
  name: 'faults of the way to Microsoft, under load',
  async run(options) {
    const folder = temporaryFolder('token-broker-network')
    const tls = localhostCertificate()
    const file = join(folder, 'microsoft.pem')
    writeFileSync(file, tls.cert)
    let port = 0
    const relay = await openRelay({ to: () => port, inspect: tls })
    const deployment = await deploy({
      ...options,
      env: { ...options?.env, NODE_EXTRA_CA_CERTS: file },
      entra: { tls, host: 'localhost', publicUrl: `https://localhost:${relay.port}` },
    })
    port = deployment.entra.port
    const { sql } = deployment
    try {
      const users = await deployment.users('network', USERS)
      const lines: string[] = []
      for (const { name, begin, passes } of FAULTS) {
        // A new process for each fault: its breaker is closed, and it has no connections.
        const broker = await deployment.start()
        await sql`update oauth2_integration set retry_at = null`
        let expiring = true
        const expire = (async () => {
          while (expiring) {
            await deployment.setRemaining(users, -60)
            await pause(100)
          }
        })()
        const load = startLoad(CALLERS, users, () => deployment.client(() => broker.internalUrl))
        try {
          await pause(1_000)
          const connections = relay.connections()
          const seen = load.answers.length
          begin(relay)
          if (!passes) {
            await pause(FAULT_MS)
            relay.heal()
          }
          const healedAt = performance.now()
          // Recovered: every user has been served after the fault, as its latest answer.
          const recovered = () => {
            const latest = new Map(load.answers.map(({ user, atMs, answer }) => [user, { atMs, answer }]))
            return users.every((user) => {
              const last = latest.get(user)
              return last !== undefined && last.atMs > healedAt && last.answer.status === 200
            })
          }
          while (!recovered()) {
            const passed = performance.now() - healedAt
            expect(
              passed < RECOVERS_WITHIN_MS,
              `${name}: not every user is served ${Math.round(passed / 1000)} s later`,
            )
            await pause(50)
          }
          const seconds = ((performance.now() - healedAt) / 1000).toFixed(1)
          const opened = broker
            .log()
            .split('\n')
            .filter((line) => line.includes('breaker opened')).length
          const counted = statuses(load.answers.slice(seen).map(({ answer }) => answer))
          lines.push(
            `${name}: ${counted}; ${relay.connections() - connections} new connections, ` +
              `all users served ${seconds} s after it, breaker opened ${opened} times`,
          )
        } finally {
          relay.heal()
          await load.stop()
          expiring = false
          await expire
          await broker.stop()
        }
        expect((await deployment.marked()) === 0, `${name}: a user had to reconnect`)
      }
      return `${lines.join('\n    ')}\n    0 users had to reconnect`
    } finally {
      await deployment.close()
      await relay.close()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
