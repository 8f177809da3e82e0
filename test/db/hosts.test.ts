import t from 'tap'
import postgres from 'postgres'
import { startDatabase } from '../../sandbox/database.ts'
import { openRelay } from '../../sandbox/relay.ts'
import type { Failure } from '../../src/core/failure.ts'
import { openDatabase } from '../../src/db/client.ts'
import { createHosts, placeOf } from '../../src/db/hosts.ts'
import { migrate } from '../../src/db/migrate.ts'
import { until } from '../support/until.ts'

// Several hosts in DATABASE_URL (docs/design.md#database).

type State = 'writable' | 'read-only' | 'gone' | 'wrong password' | 'wrong certificate'

function hostsOf(states: State[]) {
  let moves = 0
  let asked = 0
  const hosts = createHosts(
    states.map((_, index) => String(index)),
    {
      async probe(url) {
        asked++
        const state = states[Number(url)]!
        if (state === 'gone') throw Object.assign(new Error(), { code: 'ECONNREFUSED' })
        if (state === 'wrong certificate') throw Object.assign(new Error(), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
        if (state === 'wrong password') throw Object.assign(new Error(), { code: '28P01' })
        return state === 'writable'
      },
      onMove: () => void moves++,
    },
  )
  return { hosts, states, moves: () => moves, asked: () => asked }
}

t.test('the host that takes writes is used, and asked about only when somebody doubts', async (t) => {
  const { hosts, states, moves, asked } = hostsOf(['gone', 'read-only', 'writable'])
  t.equal(await hosts.choose(), 2)
  t.equal(await hosts.choose(), 2)
  t.equal(asked(), 3, 'once')
  states[1] = 'writable'
  states[2] = 'read-only'
  t.equal(await hosts.choose(), 2, 'nobody doubts')
  hosts.doubt()
  t.equal(await hosts.choose(), 1)
  t.equal(moves(), 1, 'all connections move')
  hosts.doubt()
  t.equal(await hosts.choose(), 1)
  t.equal(moves(), 1, 'to the same host nothing moves')
  states[0] = 'writable'
  hosts.doubt()
  t.equal(await hosts.choose(), 1, 'an old primary that comes back does not win')
  t.equal(moves(), 1)
})

t.test('without a host that takes writes, the reason is that of all', async (t) => {
  await t.rejects(hostsOf(['gone', 'read-only']).hosts.choose(), { code: 'NO_WRITABLE_HOST' })
  await t.rejects(hostsOf(['gone', 'wrong password']).hosts.choose(), { code: '28P01' }, 'waiting would not help')
  await t.rejects(hostsOf(['gone', 'wrong certificate']).hosts.choose(), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
  await t.rejects(hostsOf(['read-only', 'wrong password']).hosts.choose(), { code: 'NO_WRITABLE_HOST' })
  const { hosts, states } = hostsOf(['gone', 'gone'])
  await t.rejects(hosts.choose())
  states[1] = 'writable'
  t.equal(await hosts.choose(), 1, 'it asks again')
})

t.test('connections go to the primary, and all of them move after a promotion', async (t) => {
  const primary = await startDatabase()
  t.teardown(() => primary.close())
  await primary.stop()
  const standby = await startDatabase({ from: primary, standbyOf: primary.port })
  t.teardown(() => standby.close())
  await primary.start()
  t.ok((await migrate(standby.url, { otherUrls: [primary.url] })).applied.length > 0, 'migrate finds it too')

  const database = openDatabase({
    url: standby.url,
    otherUrls: [primary.url],
    prepare: true,
    poolSize: 6,
    timeoutMs: 5_000,
  })
  t.teardown(() => database.close())
  const port = "select current_setting('port') as port"
  const where = async () => {
    const rows = await Promise.all(
      Array.from({ length: 8 }, (_, i) => database[i % 2 ? 'read' : 'query']<{ port: string }>(port, [])),
    )
    return new Set(rows.map(([row]) => Number(row!.port)))
  }
  t.strictSame(await where(), new Set([primary.port]))
  const there = postgres(standby.url, { max: 1 })
  t.teardown(() => there.end())
  await primary.stop('immediate')
  await t.rejects(database.query(port, []), { code: 'database_unavailable' }, 'a standby is not used')
  await there`select pg_promote()`
  for (;;) {
    const ports = await where().catch(() => undefined)
    if (ports === undefined) continue
    t.strictSame(ports, new Set([standby.port]))
    break
  }
})

t.test(
  'one name: a server that has become read-only is left as soon as the name leads elsewhere, by reads too',
  async (t) => {
    const old = await startDatabase()
    t.teardown(() => old.close())
    await old.stop()
    const fresh = await startDatabase({ from: old })
    t.teardown(() => fresh.close())
    await old.start()
    // Connections stay open when the address changes, as with DNS.
    let port = old.port
    const name = await openRelay({ to: () => port })
    t.teardown(() => name.close())
    let now = 0
    const database = openDatabase({
      url: Object.assign(new URL(old.url), { port: String(name.port) }).href,
      prepare: true,
      poolSize: 6,
      timeoutMs: 5_000,
      elapsed: () => now,
    })
    t.teardown(() => database.close())
    await database.query('create table written (one int)', [])
    const there = postgres(fresh.url, { max: 1 })
    t.teardown(() => there.end())
    await there`create table written (one int)`
    const where = async (way: 'read' | 'query') => {
      const rows = await Promise.all(
        Array.from({ length: 8 }, () => database[way]<{ port: string }>("select current_setting('port') as port", [])),
      )
      return new Set(rows.map((row) => Number(row[0]!.port)))
    }
    t.strictSame([await where('read'), await where('query')], [new Set([old.port]), new Set([old.port])])

    const demoted = postgres(old.url, { max: 1 })
    t.teardown(() => demoted.end())
    await demoted`alter system set default_transaction_read_only = on`
    await demoted`select pg_reload_conf()`
    const write = () => database.query('insert into written values (1)', [])
    await until(async () => (await write().catch((error: Failure) => error.facts.detail)) === '25006')
    t.strictSame(await where('read'), new Set([old.port]), 'the name still leads there')
    const opened = name.connections()
    for (let i = 0; i < 5; i++) t.strictSame(await where('read'), new Set([old.port]))
    t.equal(name.connections(), opened, 'while nothing has changed, connections stay')

    port = fresh.port
    // A write may be the first on a new connection, and succeed there. Reads must follow.
    await write().catch(() => {})
    now += 5_000
    await until(async () => (await where('read')).has(fresh.port))
    await until(async () => (await write()) !== undefined)
    t.strictSame([await where('read'), await where('query')], [new Set([fresh.port]), new Set([fresh.port])])
  },
)

t.test('an IPv6 address in a URL is an address, also for migrate', async (t) => {
  t.same(placeOf('postgres://a:b@[fd00:10::1]:6432/x'), { host: 'fd00:10::1', port: 6432 })
  t.same(placeOf('postgres://a:b@db.internal/x'), { host: 'db.internal', port: 5432 })
  // Nothing listens there, or there is no IPv6. A name that DNS does not know would be ENOTFOUND.
  const failure = await migrate('postgres://a:b@[::1]:1/x').catch((error: Failure) => error)
  t.match(failure, { facts: { detail: /^migrate (ECONNREFUSED|EADDRNOTAVAIL|ENETUNREACH|EAFNOSUPPORT)$/ } })
})
