import t from 'tap'
import { request } from 'undici'
import type { StoredVerdict } from '../../src/core/failure.ts'
import { texts } from '../../src/texts/texts.ts'
import { JANE, startWorld } from '../support/world.ts'
import { call } from './signed-call.ts'

// Values that a newer release has stored and this one does not know: they are answered as they are, explained by their
// verdict.

const world = await startWorld(t)
const { sql, entra } = world
const REASON = 'a_newer_reason'
const get = (path: string) => call(world, { method: 'GET', path })

async function fails(userId: string, verdict: StoredVerdict, final = verdict === 'reconnect') {
  await world.connect(userId)
  await world.setRemaining(userId, -1)
  const failure = { verdict, reason: REASON, final, microsoft: {} }
  const status = verdict === 'reconnect' ? 'reconnect_required' : 'active'
  await sql`update oauth2_integration set status = ${status}, failure = ${sql.json(failure)},
    retry_at = clock_timestamp() + interval '1 minute' where user_id = ${userId}`
}

const EXPECTED = {
  reconnect: { status: 409, code: 'reconnect_required', who_acts: 'user' },
  try_later: { status: 503, code: 'microsoft_unavailable', who_acts: 'nobody' },
  misconfigured: { status: 503, code: 'broker_misconfigured', who_acts: 'ops' },
} as const

t.test('an unknown reason of a failure is explained by its verdict, on every route and page', async (t) => {
  for (const verdict of ['reconnect', 'try_later', 'misconfigured'] as const) {
    const { status, code, who_acts } = EXPECTED[verdict]
    await fails(verdict, verdict)
    t.match(await get(`/tokens/${verdict}`), { status, body: { code, reason: REASON, who_acts, advice: /\.$/ } })
    const failure = { reason: REASON, who_acts, advice: /\.$/ }
    t.match(await get(`/integrations/${verdict}`), { status: 200, body: { failure } })

    const browser = world.stoppingBrowser()
    const page = await browser.open((await world.caller.beginConnect(verdict, { intent: 'manage' })).url)
    t.equal(page.status, 200)
    t.ok(page.html.includes(texts.en.unknownReason[who_acts].title), `the page of ${verdict}`)
  }
  const { body } = await get('/integrations')
  t.equal(body.integrations.length, 3, 'and the list has all of them')
})

t.test('a valid token is handed out, degraded for an unknown reason', async (t) => {
  await fails('degraded', 'try_later')
  await world.setRemaining('degraded', 60)
  t.match(await get('/tokens/degraded'), { status: 200, body: { degraded: { reason: REASON } } })
})

t.test('an unknown reason and code of a connect session are answered, and shown on the result page', async (t) => {
  const { id, browser, authorizeUrl } = await world.toMicrosoft('newer')
  await browser.open(entra.control.signIn({ account: JANE, authorizeUrl }))
  const { next } = await world.complete(id, 'newer')
  const outcome = { result: 'refused', code: 'a_newer_code', reason: REASON }
  await sql`update connect_session set status = 'refused', outcome = ${sql.json(outcome)} where id = ${id}`
  // An outcome has no status of HTTP, so an unknown code is answered as the refusal that it is.
  t.match(await get(`/connect-sessions/${id}`), {
    status: 200,
    body: { status: 'refused', outcome: { ...outcome, code: 'connect_refused' } },
  })
  const completed = await call(world, {
    method: 'POST',
    path: `/connect-sessions/${id}/complete`,
    body: { user_id: 'newer', handle: world.handle(id) },
  })
  t.match(completed, { status: 409, body: { code: 'connect_refused', reason: REASON, next } })
  const page = await request(next)
  t.equal(page.statusCode, 200)
  t.match(await page.body.text(), texts.en.unknownReason.user.title)
})

t.test('an unknown event is delivered as it is', async (t) => {
  const { body: before } = await get('/events')
  await sql`update event set type = 'a_newer_event', detail = ${sql.json({ reason: REASON, cause: 'a_newer_cause' })}
    where id = ${before.events[0].id}`
  const { status, body } = await get('/events')
  t.equal(status, 200)
  t.match(body.events[0], { type: 'a_newer_event', reason: REASON, cause: 'a_newer_cause' })
})
