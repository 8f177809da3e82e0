import { readConfig } from '../src/config.ts'
import { Failure } from '../src/core/failure.ts'
import { createServices, type Overrides, systemClock } from '../src/services.ts'
import { createLogger } from '../src/telemetry.ts'
import { deploy, type Drill, expect, pause } from './deployment.ts'

const OUTAGE_SECONDS = 600
/** Time between two reads of all users. */
const STEP_SECONDS = 20
const USERS = 240
const REPLICAS = 2
/**
 * Calls that one replica may have open at once after Microsoft is back, second by second: first the probe, then two,
 * and one more with each answer. If all calls of a second are answered before the next second, the number doubles,
 * until the breaker closes at 64 (docs/design.md#breaker).
 */
const RAMP = [1, 2, 4, 8, 16, 32]

/**
 * Microsoft answers 503 for ten minutes. The drill does not wait: it moves the processes' clock and the times in the
 * rows.
 */
export const outage: Drill = {
  name: `Microsoft down for 10 minutes, then back, ${REPLICAS} replicas`,
  async run(options) {
    const deployment = await deploy(options)
    const { entra, sql } = deployment
    let shift = 0
    // This drill holds exchanges for any length of time, so they must not time out.
    const overrides: Overrides = {
      clock: { ...systemClock, elapsed: () => systemClock.elapsed() + shift },
      deadline: () => new AbortController().signal,
    }
    const replicas = Array.from({ length: REPLICAS }, () =>
      createServices(readConfig(deployment.env), createLogger('silent'), overrides),
    )
    try {
      const users = await deployment.users('outage', USERS)
      // From expired a minute ago to valid for another 21 minutes.
      for (const [i, user] of users.entries()) await deployment.setRemaining([user], -60 + i * (1_320 / USERS))
      const pass = async (seconds: number) => {
        shift += seconds * 1000
        await sql`update oauth2_integration set
          retry_at = retry_at - make_interval(secs => ${seconds}),
          refreshed_at = refreshed_at - make_interval(secs => ${seconds}),
          access_token_expires_at = access_token_expires_at - make_interval(secs => ${seconds}),
          lease_until = lease_until - make_interval(secs => ${seconds})`
      }
      /**
       * All users read at once, each at one replica. `held`: how many calls to Microsoft were open when each user had
       * an answer or waited for one.
       */
      const readAll = async ({ hold = false } = {}) => {
        const valid = new Set(
          (
            await sql`select user_id from oauth2_integration
              where access_token_expires_at > now() + interval '10 seconds'`
          ).map((row) => String(row['user_id'])),
        )
        const seen = { fresh: 0, degraded: 0, unavailable: 0 }
        if (hold) entra.control.hold()
        const reading = Promise.all(
          users.map(async (userId, i) => {
            try {
              const { refresh, clock } = replicas[i % REPLICAS]!
              const { degraded } = await refresh.tokenFor({
                userId,
                minTtlSeconds: 300,
                deadlineAt: clock.elapsed() + 60_000,
                requestId: 'drill',
              })
              seen[degraded === undefined ? 'fresh' : 'degraded'] += 1
            } catch (error) {
              if (!(error instanceof Failure && error.code === 'microsoft_unavailable')) throw error
              expect(!valid.has(userId), `${userId} had a valid token and got ${error.code}`)
              seen.unavailable += 1
            }
          }),
        )
        const waiting = () => entra.control.state().gates.before.waiting
        /** A replica sends 64 at a time; these wait for their turn. */
        const inTurn = () => replicas.reduce((sum, { microsoft }) => sum + microsoft.refreshesNow().waiting, 0)
        let held = 0
        const decided = async () => {
          while (seen.fresh + seen.degraded + seen.unavailable + (held = waiting()) + inTurn() < USERS) await pause(5)
        }
        if (hold) await Promise.race([decided(), reading])
        entra.control.release()
        await reading
        return { ...seen, held }
      }

      entra.control.misbehave('status', 503)
      let served = 0
      for (let time = 0; time < OUTAGE_SECONDS; time += STEP_SECONDS) {
        const { fresh, degraded } = await readAll()
        served += fresh + degraded
        await pass(STEP_SECONDS)
      }
      const during = deployment.calls()
      // Microsoft is back, but the breaker does not know that until its next probe.
      entra.control.behave()
      await pass(61 * 1.2)
      const before = deployment.calls()
      const [latest] = await sql`select max(generation) as generation from oauth2_integration`
      const seconds: number[] = []
      for (let fresh = 0; fresh < USERS; await pass(1)) {
        expect(seconds.length < 60, `${USERS - fresh} users are not served a minute after Microsoft is asked again`)
        const seen = await readAll({ hold: true })
        const most = REPLICAS * (RAMP[seconds.length] ?? Infinity)
        expect(
          seen.held <= most,
          `${seen.held} calls at once in second ${seconds.length + 1}, more than the ${most} of the ramp`,
        )
        fresh = seen.fresh
        seconds.push(seen.held)
      }
      const healing = deployment.calls() - before
      const [row] =
        await sql`select count(*)::int as n from oauth2_integration where generation > ${latest!['generation']}`
      const waiting = Number(row!['n'])
      expect(healing === waiting, `${healing} calls for ${waiting} users that needed one`)
      expect(seconds.length > RAMP.length, `only ${waiting} users needed a token: too few to show a stampede`)
      expect((await deployment.marked()) === 0, 'a user had to reconnect')
      return (
        `${OUTAGE_SECONDS / STEP_SECONDS + 1} reads of ${USERS} users: ${served} tokens served, all valid ones; ` +
        `${during} calls to Microsoft in those ten minutes; ` +
        `all ${waiting} waiting users were served by ${healing} calls, ` +
        `at most ${seconds.join(', ')} at once, second by second; 0 users had to reconnect`
      )
    } finally {
      entra.control.release()
      await Promise.all(replicas.map((services) => services.close()))
      await deployment.close()
    }
  },
}
