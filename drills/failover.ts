import postgres from 'postgres'
import { startDatabase } from '../sandbox/database.ts'
import { openRelay } from '../sandbox/relay.ts'
import { deploy, type Drill, expect, pause, read, readEverywhere, statuses } from './deployment.ts'
import { type Load, startLoad } from './load.ts'

const LIMIT_MS = 5_000

/** The primary dies under load and a streaming standby is promoted; brokers reach it by `way`. */
const failoverBy = (way: 'hosts' | 'proxy'): Drill => ({
  name: `Postgres failed over under load, ${way === 'hosts' ? 'several hosts in DATABASE_URL' : 'through a proxy'}`,
  async run() {
    const primary = await startDatabase()
    let port = primary.port
    const relay = await openRelay({ to: () => port })
    // A copy, so that the port of the standby is known when the URL is made.
    await primary.createDatabase('token_broker')
    await primary.stop()
    const standby = await startDatabase({ from: primary, standbyOf: primary.port })
    await primary.start()
    const hosts = `127.0.0.1:${standby.port},127.0.0.1:${primary.port}`
    const deployment = await deploy({
      database: primary,
      via: (url) =>
        way === 'hosts'
          ? `${url.replace(/127\.0\.0\.1:\d+/, hosts)}?target_session_attrs=read-write`
          : Object.assign(new URL(url), { port: String(relay.port) }).href,
    })
    let load: Load | undefined
    const there = postgres(Object.assign(new URL(deployment.databaseUrl), { port: String(standby.port) }).href, {
      max: 1,
    })
    try {
      const brokers = await Promise.all([deployment.start(), deployment.start()])
      const users = await deployment.users('failover', 30)
      load = startLoad(8, users, (caller) => deployment.client(() => brokers[caller % 2]!.internalUrl))
      await pause(500)
      for (const user of users)
        await read(
          deployment.client(() => brokers[0]!.internalUrl),
          user,
        )
      await caughtUp(deployment.sql, there)
      await primary.stop('immediate')
      await pause(500)
      await there`select pg_promote()`
      port = standby.port
      relay.dropIdle()
      await there`update oauth2_integration set access_token_expires_at = now() - interval '1 second'`
      const promoted = performance.now()
      for (;;) {
        const answers = await readEverywhere(deployment, brokers, users)
        if (answers.every(({ status, body }) => status === 200 && !body.degraded)) break
        expect(
          performance.now() - promoted < LIMIT_MS,
          `not serving ${LIMIT_MS} ms after the promotion: ${statuses(answers)}`,
        )
        await pause(100)
      }
      const back = Math.round(performance.now() - promoted)
      await load.stop()
      const wrong = load.answers.filter(({ user, answer: { status, body } }) =>
        status === 200 ? !deployment.isOf(user, body.access_token) : body.code !== 'database_unavailable',
      )
      expect(wrong.length === 0, `wrong answers: ${statuses(wrong.map(({ answer }) => answer))}`)
      const [row] = await there`select count(*)::int as n from oauth2_integration where status <> 'active'`
      expect(row?.['n'] === 0, 'a user had to reconnect')
      return (
        `${load.answers.length} answers (${statuses(load.answers.map(({ answer }) => answer))}), each token of its user; ` +
        `all users were refreshed again ${back} ms after the promotion; 0 users had to reconnect`
      )
    } finally {
      await load?.stop()
      await there.end({ timeout: 1 })
      await deployment.close()
      await relay.close()
      await standby.close()
    }
  },
})

async function caughtUp(primary: postgres.Sql, standby: postgres.Sql): Promise<void> {
  const [written] = await primary`select pg_current_wal_lsn()::text as lsn`
  for (;;) {
    const [received] = await standby`select pg_last_wal_replay_lsn() >= ${written!['lsn']}::pg_lsn as all`
    if (received?.['all'] === true) return
    await pause(50)
  }
}

export const failoverByHosts = failoverBy('hosts')
export const failoverByProxy = failoverBy('proxy')
