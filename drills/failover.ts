import postgres from 'postgres'
import type { Broker } from '../sandbox/broker.ts'
import { deploy, type Deployment, type Drill, expect, pause, read, readEverywhere, statuses } from './deployment.ts'
import { expectRightAnswers, type Load, startLoad } from './load.ts'
import { startPair, WAYS, type WayName } from './ways.ts'

const LIMIT_MS = 5_000

/** The primary dies under load and a streaming standby is promoted; brokers reach it by `way`. Nothing is lost. */
export const failoverBy = (way: WayName): Drill => ({
  name: `Postgres failed over under load, ${WAYS[way]}`,
  async run() {
    const pair = await startPair(way)
    const { primary } = pair
    const deployment = await deploy({ database: primary, via: pair.via })
    let load: Load | undefined
    const there = postgres(pair.there(deployment.databaseUrl), { max: 1 })
    try {
      const start = () => deployment.start(undefined, pair.nodeFlags)
      const brokers = await Promise.all([start(), start()])
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
      pair.lead()
      const back = await servedAfter(performance.now(), deployment, brokers, users, there)
      await load.stop()
      expectRightAnswers(deployment, load)
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
      await pair.close()
    }
  },
})

/** Waits until the standby has all that the primary has written. */
export async function caughtUp(primary: postgres.Sql, standby: postgres.Sql): Promise<void> {
  const [written] = await primary`select pg_current_wal_lsn()::text as lsn`
  for (;;) {
    const [received] = await standby`select pg_last_wal_replay_lsn() >= ${written!['lsn']}::pg_lsn as all`
    if (received?.['all'] === true) return
    await pause(50)
  }
}

/**
 * Lets the tokens of these users expire in the promoted database, and waits until every broker has refreshed each of
 * them. Resolves with the milliseconds since the promotion. Throws if they are too many.
 */
export async function servedAfter(
  promotedAt: number,
  deployment: Deployment,
  brokers: readonly Broker[],
  users: readonly string[],
  there: postgres.Sql,
): Promise<number> {
  await there`update oauth2_integration set access_token_expires_at = now() - interval '1 second'
    where user_id in ${there(users)}`
  for (;;) {
    const answers = await readEverywhere(deployment, brokers, users)
    const afterMs = Math.round(performance.now() - promotedAt)
    if (answers.every(({ status, body }) => status === 200 && !body.degraded)) return afterMs
    expect(afterMs < LIMIT_MS, `not serving ${LIMIT_MS} ms after the promotion: ${statuses(answers)}`)
    await pause(100)
  }
}
