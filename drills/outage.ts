import { readConfig } from '../src/config.ts'
import { Failure } from '../src/core/failure.ts'
import { createServices, systemClock } from '../src/services.ts'
import { createLogger } from '../src/telemetry.ts'
import { deploy, type Drill, expect } from './deployment.ts'

/** Seconds of the outage, and between two reads of everybody. */
const OUTAGE = 600
const STEP = 20
const USERS = 120

/** Microsoft answers 503 for ten minutes. Time is moved, not waited for: the process' clock and the times in the rows. */
export const outage: Drill = {
  name: 'Microsoft down for 10 minutes, then back',
  async run() {
    const deployment = await deploy()
    const { entra, sql } = deployment
    let shift = 0
    const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + shift }
    const services = createServices(readConfig(deployment.env), createLogger('silent'), { clock })
    try {
      const users = await deployment.users('outage', USERS)
      // From long expired to good for another 20 minutes.
      for (const [i, user] of users.entries()) await deployment.setRemaining([user], -60 + i * 11)
      const pass = async (seconds: number) => {
        shift += seconds * 1000
        await sql`update oauth2_integration set retry_at = retry_at - make_interval(secs => ${seconds}), refreshed_at = refreshed_at - make_interval(secs => ${seconds}),
          access_token_expires_at = access_token_expires_at - make_interval(secs => ${seconds}), lease_until = lease_until - make_interval(secs => ${seconds})`
      }
      const readAll = async (minTtl = 300) => {
        const valid = new Set((await sql`select user_id from oauth2_integration where access_token_expires_at > now() + interval '2 seconds'`).map((row) => String(row['user_id'])))
        const over = new Set((await sql`select user_id from oauth2_integration where access_token_expires_at < now()`).map((row) => String(row['user_id'])))
        const seen = { fresh: 0, degraded: 0, unavailable: 0 }
        await Promise.all(users.map(async (userId) => {
          try {
            const { degraded } = await services.refresh.tokenFor({ userId, minTtl, deadlineMs: 8_000, requestId: 'drill' })
            seen[degraded === undefined ? 'fresh' : 'degraded'] += 1
          } catch (error) {
            if (!(error instanceof Failure && error.code === 'microsoft_unavailable')) throw error
            expect(!valid.has(userId), `${userId} had a valid token and got ${error.code}`)
            seen.unavailable += 1
          }
        }))
        return { ...seen, over: over.size }
      }

      entra.control.misbehave('status', 503)
      let served = 0
      for (let time = 0; time < OUTAGE; time += STEP) {
        const { fresh, degraded } = await readAll()
        served += fresh + degraded
        await pass(STEP)
      }
      const during = deployment.calls()
      const last = await readAll()
      const waiting = USERS - last.fresh
      entra.control.behave()
      const before = deployment.calls()
      let seconds = 0
      let most = 0
      for (; ; seconds += 1) {
        const calls = deployment.calls()
        const { fresh } = await readAll()
        most = Math.max(most, deployment.calls() - calls)
        if (fresh === USERS) break
        expect(seconds < 120, `${USERS - fresh} users are not served two minutes after Microsoft is back`)
        await pass(1)
      }
      const healing = deployment.calls() - before
      expect(healing <= waiting + 1, `${healing} calls for ${waiting} users that needed one`)
      expect(most < waiting, `all ${waiting} at once`)
      expect((await deployment.marked()) === 0, 'somebody was told to reconnect')
      return `${OUTAGE / STEP + 1} reads of ${USERS} users: ${served} tokens served, every valid one; ${during} calls to Microsoft in those ten minutes; `
        + `all ${waiting} that waited were served within ${seconds} s by ${healing} calls, at most ${most} in one second; 0 told to reconnect`
    } finally {
      await services.close()
      await deployment.close()
    }
  },
}
