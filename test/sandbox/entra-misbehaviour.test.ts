import t from 'tap'
import { aadstsCases } from '../../sandbox/entra/errors.ts'
import { bench, jane } from './entra-support.ts'

const omar = 'omar@contoso.com'

t.test('throttling, outages and redirects look like Microsoft’s', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const { refresh_token: token } = await b.connect()
  control.misbehave('throttle', 60, { times: 1 })
  const throttled = await b.refresh(token)
  t.same([throttled.status, throttled.text, throttled.headers.get('retry-after')], [429, 'Too Many Requests', '60'])
  t.match(throttled.headers.get('content-type'), 'text/plain')
  control.misbehave('throttle', 'Mon, 02 Mar 2026 10:00:00 GMT', { times: 1 })
  t.equal((await b.refresh(token)).headers.get('retry-after'), 'Mon, 02 Mar 2026 10:00:00 GMT')
  control.misbehave('status', 503, { times: 1 })
  const down = await b.refresh(token)
  t.equal(down.status, 503)
  t.match(down.headers.get('content-type'), 'text/html')
  control.misbehave('redirect', 'https://login.example/elsewhere', { times: 1 })
  const moved = await b.refresh(token)
  t.same([moved.status, moved.headers.get('location')], [302, 'https://login.example/elsewhere'])
  t.equal((await b.refresh(token)).status, 200, 'times: 1 is used up')
})

t.test('every listed AADSTS case can be ordered, in its own or another spelling', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const token = control.issueRefreshToken({ account: jane })
  for (const code of Object.keys(aadstsCases).map(Number)) {
    control.misbehave('aadsts', code, { times: 1 })
    const { status, json } = await b.refresh(token)
    const { error } = aadstsCases[code] ?? {}
    t.equal(json.error, error)
    t.match(json.error_description, new RegExp(`^AADSTS${code}: .+ Trace ID: `))
    t.notMatch(json.error_description, /\{(app|name)\}/, 'the application is named')
    if (error === 'invalid_client' && code !== 650052) t.equal(status, 401, String(code))
  }
  control.misbehave('aadsts', { code: 50076, error: 'invalid_grant', suberror: 'basic_action' }, { times: 1 })
  t.match((await b.refresh(token)).json, { error: 'invalid_grant', suberror: 'basic_action', error_codes: [50076] })
  control.misbehave('aadsts', 53003, { times: 1 })
  const blocked = (await b.refresh(token)).json
  t.equal(blocked.suberror, 'message_only')
  t.ok(JSON.parse(String(blocked.claims)), 'claims are JSON in a string')
})

t.test('answers can be spoilt in form: not JSON, cut, huge, expires_in a string, no refresh token', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const { refresh_token: token } = await b.connect()
  const once = { times: 1 }
  control.misbehave('malformed', true, once)
  const malformed = await b.refresh(token)
  t.equal(malformed.status, 200)
  t.same(malformed.json, {})
  control.misbehave('truncated', true, once)
  t.match((await b.refresh(token)).text, /^\{"token_type":"Bearer".*[^}]$/)
  control.misbehave('oversized', 3_000_000, once)
  const huge = await b.refresh(token)
  t.equal(huge.text.length, 3_000_000)
  t.ok(huge.json.access_token, 'and still right')
  control.misbehave('expires_in_string', true, once)
  t.type((await b.refresh(token)).json.expires_in, 'string')
  control.misbehave('no_refresh_token', true, once)
  t.notOk('refresh_token' in (await b.refresh(token)).json)
  t.same(Object.keys(control.tokenRequests().byOutcome), ['tokens', 'malformed', 'truncated', 'oversized'])
})

t.test('a reset cuts the connection after the tokens were rotated', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const { refresh_token: token } = await b.connect()
  control.configure({ rotation: 'strict' })
  control.misbehave('reset', true, { times: 1 })
  await t.rejects(b.refresh(token))
  t.match((await b.refresh(token)).json, { error_codes: [70000] }, 'the simulator has spent it')
  t.equal(control.tokenRequests().byOutcome.reset, 1)
})

t.test('a hanging request ends when released, cut and unanswered', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const token = control.issueRefreshToken({ account: jane })
  control.misbehave('hang', true, { times: 1 })
  const hanging = t.rejects(b.refresh(token))
  t.equal((await b.refresh(token)).status, 200, 'others are answered meanwhile')
  t.equal(control.state().gates.hanging, 1)
  control.release()
  await hanging
})

t.test('latency waits that long by the given sleep', async (t) => {
  const slept: number[] = []
  const b = await bench(t.teardown, { sleep: async (ms) => void slept.push(ms) })
  const token = b.entra.control.issueRefreshToken({ account: jane })
  b.entra.control.misbehave('latency', 250)
  await b.refresh(token)
  t.same(slept, [250])
})

t.test('misbehaviour can be for one account, which goes before what is for everybody', async (t) => {
  const b = await bench(t.teardown)
  const { control } = b.entra
  const [forJane, forOmar] = [
    control.issueRefreshToken({ account: jane }),
    control.issueRefreshToken({ account: omar }),
  ]
  const janeId = control.state().accounts[0]?.objectId ?? ''
  control.misbehave('aadsts', 50057, { account: janeId })
  t.match((await b.refresh(forJane)).json, { error_codes: [50057] })
  t.equal((await b.refresh(forOmar)).status, 200)
  control.misbehave('aadsts', 90033)
  t.match((await b.refresh(forJane)).json, { error_codes: [50057] })
  t.match((await b.refresh(forOmar)).json, { error_codes: [90033] })
  control.behave('aadsts', '*')
  t.equal((await b.refresh(forOmar)).status, 200)
  t.match((await b.refresh(forJane)).json, { error_codes: [50057] })
  control.behave()
  t.equal((await b.refresh(forJane)).status, 200)
})

t.test('a rate draws from the seed, so the same seed repeats the same run', async (t) => {
  const run = async (seed: number) => {
    const b = await bench(t.teardown, { seed })
    const token = b.entra.control.issueRefreshToken({ account: jane })
    b.entra.control.misbehave('status', 500, { rate: 0.5 })
    const statuses: number[] = []
    for (let i = 0; i < 20; i++) statuses.push((await b.refresh(token)).status)
    return statuses.join(' ')
  }
  const first = await run(11)
  t.match(first, /200/)
  t.match(first, /500/)
  t.equal(await run(11), first)
  t.not(await run(12), first)
})

t.test('a knob refuses what it cannot mean, and names what it can', async (t) => {
  const { control } = (await bench(t.teardown)).entra
  const order = control.misbehave as (knob: string, value: unknown, options?: object) => void
  t.throws(() => order('latncy', 5), /no knob "latncy"; there are latency, /)
  t.throws(() => order('latency', '5'), /latency: expected milliseconds/)
  t.throws(() => order('status', 200), /expected an HTTP status/)
  t.throws(() => order('aadsts', 4), /expected a listed AADSTS number/)
  t.throws(() => order('reset', true, { times: 0 }), /times/)
  t.throws(() => order('reset', true, { rate: 2 }), /rate/)
  t.throws(() => order('reset', true, { account: 'nobody@contoso.com' }), /no account/)
  t.throws(() => control.configure({ rotation: 'sometimes' as 'strict' }), /rotation: expected/)
  t.same(Object.values(control.state().knobs).flat(), [], 'nothing was set')
})
