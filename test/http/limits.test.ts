import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Pool, request } from 'undici'
import { REQUESTS_PER_PERSON } from '../../src/http/security.ts'
import { STRANGER_LIMITS } from '../../src/http/strangers.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { startWorld } from '../support/world.ts'
import { call } from './signed-call.ts'

// How many requests one person, one address and one caller may send in a minute.

const ACCOUNT = '/accounts/account/microsoft/'

t.test(
  'a caller over its limit gets a signed Retry-After; other callers are served, and strangers use up nothing',
  async (t) => {
    const world = await startWorld(t)
    const file = world.env['CALLERS_FILE']!
    const key = generateKey('hmac-sha256', 'other', Date.now() + 86_400_000, Date.now() - 60_000)
    const { callers } = JSON.parse(readFileSync(file, 'utf8')) as { callers: object[] }
    writeFileSync(
      file,
      JSON.stringify({ callers: [...callers, { name: 'other', permissions: ['tokens:read'], keys: [key.broker] }] }),
    )
    const to = await world.startReplica({ CALLER_REQUESTS_PER_MINUTE: '5' })
    const path = '/tokens/nobody'
    for (let n = 0; n < 10; n++) {
      t.equal(
        (
          await call(world, {
            method: 'GET',
            path,
            to,
            tamper: (headers) => ({ ...headers, signature: 'sig1=:AAAA:' }),
          })
        ).status,
        401,
      )
    }
    for (let n = 0; n < 5; n++) t.equal((await call(world, { method: 'GET', path, to })).status, 404)
    const nonces = await world.sql`select 1 from request_nonce`
    for (const method of ['GET', 'POST']) {
      const answer = await call(world, {
        method,
        path: method === 'GET' ? path : '/connect-sessions',
        ...(method === 'GET' ? {} : { body: { user_id: 'x' } }),
        to,
      })
      t.match(answer, { status: 429, signature: 'verified', body: { code: 'rate_limited' } })
      t.match(answer.headers['retry-after'], /^([1-9]|[1-5]\d|60)$/)
      t.ok(String(answer.headers['signature-input']).includes('"retry-after"'), 'covered by the signature')
      t.same(
        Object.keys(answer.headers).filter((name) => name.startsWith('x-ratelimit')),
        [],
      )
    }
    t.same(await world.sql`select 1 from request_nonce`, nonces, 'what is over the limit costs the database nothing')
    const other = signingKey(key.caller.key_id, 'hmac-sha256', key.caller.secret!)
    t.equal((await call(world, { method: 'GET', path, key: other, to })).status, 404)
  },
)

t.test('a person who reloads endlessly is limited, and others behind the same address are not', async (t) => {
  const world = await startWorld(t)
  const open = async () => {
    const browser = world.stoppingBrowser()
    await browser.open((await world.caller.beginConnect('eager', { intent: 'manage' })).url)
    return browser
  }
  const [eager, calm] = [await open(), await open()]
  const cookie = eager.jar.header(new URL(world.baseUrl), { method: 'GET', crossSite: false })!
  const visit = () => request(world.baseUrl + ACCOUNT, { headers: { cookie } })
  const statuses: number[] = []
  let last
  for (let n = 0; n < REQUESTS_PER_PERSON + 1; n++) {
    last = await visit()
    statuses.push(last.statusCode)
    if (last.statusCode === 200) await last.body.dump()
  }
  t.ok(statuses.includes(200))
  t.equal(last!.statusCode, 429)
  t.match(last!.headers['retry-after'], /^([1-9]|[1-5]\d|60)$/)
  t.match(await last!.body.text(), /<html/)
  t.equal((await calm.open(world.baseUrl + ACCOUNT)).status, 200)
})

t.test('a link that is opened endlessly is limited on its own', async (t) => {
  const world = await startWorld(t)
  const { url } = await world.caller.beginConnect('scanned')
  let status = 0
  for (let n = 0; n < REQUESTS_PER_PERSON + 1; n++) {
    const answer = await request(url)
    await answer.body.dump()
    status = answer.statusCode
  }
  t.equal(status, 429)
  t.equal((await request((await world.caller.beginConnect('scanned')).url)).statusCode, 303)
})

t.test('an address that sends more than a hospital does is limited, also at pages that do not exist', async (t) => {
  const world = await startWorld(t)
  const pool = new Pool(world.replica.publicUrl, { connections: 8 })
  t.teardown(() => pool.close())
  const from = (address: string) => async () => {
    const answer = await pool.request({ method: 'GET', path: '/nothing', headers: { 'x-forwarded-for': address } })
    await answer.body.dump()
    return answer.statusCode
  }
  const statuses: number[] = []
  const [crowd, other] = [from('203.0.113.7'), from('203.0.113.8')]
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (statuses.length < STRANGER_LIMITS.perAddress.public + 8) statuses.push(await crowd())
    }),
  )
  t.equal(statuses.filter((status) => status === 404).length, STRANGER_LIMITS.perAddress.public)
  t.equal(await crowd(), 429)
  t.equal(await other(), 404)
})
