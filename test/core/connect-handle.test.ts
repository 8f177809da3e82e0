import { createHmac, createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { CALLER_PERMISSIONS } from '../../src/signature/callers.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { CALLBACK, handleIn, JANE, startWorld } from '../support/world.ts'

// The handle of a completion (docs/design.md#completion): the beginner's side knows the id of an attempt from the
// start, and gets nothing by it (docs/security.md#connect-flow).

const world = await startWorld(t)
const { entra, caller, sql } = world
type Body = Record<string, any>

const statusOf = async (id: string) => (await caller.send('GET', `/connect-sessions/${id}`)).body as Body
const complete = (id: string, userId: string, handle?: string) =>
  caller.send('POST', `/connect-sessions/${id}/complete`, { user_id: userId, handle })
const end = (id: string, handle?: string) =>
  caller.send('DELETE', `/connect-sessions/${id}${handle === undefined ? '' : `?handle=${handle}`}`)
const rowOf = async (id: string) => (await sql`select * from connect_session where id = ${id}`)[0]!
const codesRedeemed = () => entra.control.tokenRequests().byGrant['authorization_code'] ?? 0
const NOT_BACK_YET = { status: 409, body: { code: 'connect_refused', reason: 'not_back_yet', next: undefined } }
const GUESS = 'A'.repeat(43)

/** `userId` begins, the owner of `account` approves in a browser of their own. */
async function approved(userId: string, account = JANE) {
  const attempt = await world.toMicrosoft(userId)
  const callbackUrl = entra.control.signIn({ account, authorizeUrl: attempt.authorizeUrl })
  const page = await attempt.browser.open(callbackUrl)
  return { ...attempt, callbackUrl, handle: handleIn(page), page }
}

t.test('the handle is an HMAC keyed by the PKCE verifier over id and code, and only its hash is stored', async (t) => {
  const { id, handle, callbackUrl, page } = await approved('formula')
  const row = await rowOf(id)
  const codeVerifier = world.replica.services.vault.open(
    {
      table: 'connect_session',
      column: 'pkce_verifier',
      provider: 'microsoft',
      userId: 'formula',
      recordId: id,
    },
    row['pkce_verifier'] as Buffer,
  )
  const code = new URL(callbackUrl).searchParams.get('code')!
  const hash = (text: string) => createHash('sha256').update(text).digest()
  const expected = createHmac('sha256', codeVerifier).update(Buffer.concat([Buffer.from(id), hash(code)]))
  t.equal(handle, expected.digest('base64url'))
  t.same(row['handle_hash'], hash(handle))
  t.match(page.refresh, `connect_session=${id}&handle=${handle}`, 'beside the id, in the completion URL')
  t.notOk(world.replica.logged().includes(handle))
})

t.test('a beginner who polls with the id gets nothing, before and after the browser is back', async (t) => {
  const before = codesRedeemed()
  const { id, url } = await caller.beginConnect('mallory-a')
  const other = await approved('mallory-a')
  const poll = async (name: string) => {
    const row = await rowOf(id)
    for (const handle of [undefined, GUESS, other.handle])
      t.match(await complete(id, 'mallory-a', handle), NOT_BACK_YET)
    t.same(await rowOf(id), row, `${name}: nothing is changed`)
  }
  await poll('created')
  const browser = world.stoppingBrowser()
  const { refresh = '' } = await browser.open(url)
  await poll('at Microsoft')
  const page = await browser.open(entra.control.signIn({ account: JANE, authorizeUrl: refresh }))
  const handle = handleIn(page)
  await poll('back')
  const nearly = handle.slice(0, -2) + (handle.at(-2) === 'A' ? 'B' : 'A') + handle.at(-1)
  t.match(await complete(id, 'mallory-a', nearly), NOT_BACK_YET)
  t.equal(codesRedeemed(), before)
  t.equal(await world.row('mallory-a'), undefined)
  t.match(await complete(id, 'mallory-a', handle), { status: 200 }, 'who has the handle completes')
  await poll('completed')
})

t.test('a repeated completion gets its outcome with the handle only', async (t) => {
  const { id, handle } = await approved('again')
  const first = await complete(id, 'again', handle)
  t.equal(first.status, 200)
  t.same(await complete(id, 'again', handle), first)
  for (const wrong of [undefined, GUESS]) {
    const answer = await complete(id, 'again', wrong)
    t.match(answer, NOT_BACK_YET)
    t.notMatch(JSON.stringify(answer), /jane|result/)
  }
})

t.test('a reload of the callback gives the same handle, and a code of somebody else gives none', async (t) => {
  const { id, browser, callbackUrl, handle } = await approved('reload')
  t.equal(handleIn(await browser.open(callbackUrl)), handle)
  const { state = '' } = Object.fromEntries(new URL(callbackUrl).searchParams)
  const other = await approved('mallory-b')
  const code = new URL(other.callbackUrl).searchParams.get('code')!
  for (const query of [
    { state, code },
    { state, code: 'guess' },
    { state, error: 'access_denied' },
    { state, error: 'server_error', error_description: 'x' },
  ]) {
    const page = await browser.open(`${world.baseUrl}${CALLBACK}?${new URLSearchParams(query)}`)
    t.match(page, { status: 400, title: /cannot be finished here/ })
    t.equal(page.refresh, undefined)
    t.notMatch(page.html, id)
  }
  t.match(await complete(id, 'reload', handle), { status: 200 })
})

t.test('a browser that came to another login ends the attempt, and its beginner cannot complete it', async (t) => {
  const before = codesRedeemed()
  const { id, handle, browser, callbackUrl } = await approved('mallory-c')
  t.match(await end(id, handle), { status: 204, body: undefined })
  const row = await rowOf(id)
  t.match(row, { status: 'refused', code: null, pkce_verifier: null })
  const leaked = await complete(id, 'mallory-c', handle)
  t.match(leaked, { status: 409, body: { code: 'connect_refused', reason: 'not_the_same_user', next: /\/result\// } })
  t.match(await statusOf(id), { status: 'refused', outcome: { reason: 'not_the_same_user' } })
  t.match((await browser.open(callbackUrl)).text, /Somebody else started this/, 'a reload says why')
  t.match(await end(id, handle), { status: 204 }, 'a repetition changes nothing')
  t.same(await rowOf(id), row)
  t.equal(codesRedeemed(), before)
  t.equal(await world.row('mallory-c'), undefined)
  const lines = world.replica
    .logged()
    .split('\n')
    .filter((line) => line.includes('"connect_ended"') && line.includes(id))
  t.equal(lines.length, 1, 'one audit line')
  t.match(JSON.parse(lines[0]!), { audit: 'connect_ended', user_id: 'mallory-c', reason: 'not_the_same_user' })
  t.notOk(world.replica.logged().includes(handle))
})

t.test('in every other state an end changes nothing', async (t) => {
  const holds = async (name: string, id: string, handle: string) => {
    const before = await rowOf(id)
    t.match(await end(id, handle), { status: 204 }, name)
    t.same(await rowOf(id), before, name)
  }
  const { id: created } = await caller.beginConnect('states')
  await holds('created', created, GUESS)
  const { id: authorizing } = await world.toMicrosoft('states')
  await holds('authorizing', authorizing, GUESS)
  const other = await approved('states')
  const { id, handle } = await approved('states')
  await holds('a guessed handle', id, GUESS)
  await holds('the handle of another attempt', id, other.handle)
  entra.control.hold()
  const completion = complete(id, 'states', handle)
  await entra.control.held()
  await holds('completing', id, handle)
  entra.control.release()
  t.match(await completion, { status: 200 })
  await holds('connected', id, handle)
  await sql`update connect_session set expires_at = now() where id = ${other.id}`
  await holds('expired', other.id, other.handle)
  const declined = await world.toMicrosoft('states')
  await declined.browser.open(entra.control.decline({ account: JANE, authorizeUrl: declined.authorizeUrl }))
  await holds('refused', declined.id, GUESS)
  t.match(await world.row('states'), { status: 'active' })
})

t.test('an end needs the caller that began, its permission, and a handle', async (t) => {
  const { id, handle } = await approved('whose')
  const reports = generateKey('hmac-sha256', 'reports', Date.now() + 86_400_000, Date.now() - 60_000)
  const reader = generateKey('hmac-sha256', 'reader', Date.now() + 86_400_000, Date.now() - 60_000)
  const file = world.env['CALLERS_FILE']!
  const { callers } = JSON.parse(readFileSync(file, 'utf8')) as { callers: object[] }
  callers.push(
    { name: 'reports', permissions: CALLER_PERMISSIONS, keys: [reports.broker] },
    { name: 'reader', permissions: ['tokens:read'], keys: [reader.broker] },
  )
  writeFileSync(file, JSON.stringify({ callers }))
  t.equal(world.replica.services.callers.reload(), 'changed')
  const as = (key: typeof reader) =>
    createBrokerClient({ address: () => world.replica.internalUrl, authority: BROKER_AUTHORITY, key: key.caller })
  const path = `/connect-sessions/${id}?handle=${handle}`
  t.match(await as(reports).send('DELETE', path), { status: 404, body: { code: 'not_found' } })
  t.match(await as(reader).send('DELETE', path), { status: 403, body: { code: 'caller_forbidden' } })
  t.match(await end('3f0c9f5e-2b7a-4f0e-8d55-5f2a9c1e7b64', handle), { status: 404 })
  for (const malformed of [undefined, '', 'short', `${handle}A`, `${handle.slice(1)}%2B`])
    t.match(await end(id, malformed), { status: 422, body: { code: 'invalid_request' } })
  for (const malformed of ['', 'short', `${handle}A`, `${handle.slice(1)}+`])
    t.match(await complete(id, 'whose', malformed), { status: 422, body: { code: 'invalid_request' } })
  t.match(await complete(id, 'whose', handle), { status: 200 }, 'none of it changed anything')
})

t.test('an end and a completion at the same moment: one of them wins, whole', async (t) => {
  const other = await world.startReplica()
  for (let round = 0; round < 6; round++) {
    const userId = `duel-${round}`
    const before = codesRedeemed()
    const { id, handle } = await approved(userId)
    const [completed] = await Promise.all([
      complete(id, userId, handle),
      other.caller.send('DELETE', `/connect-sessions/${id}?handle=${handle}`),
    ])
    const isConnected = completed.status === 200
    if (!isConnected) t.match(completed, { status: 409, body: { reason: 'not_the_same_user' } })
    t.equal((await world.row(userId)) !== undefined, isConnected)
    t.equal(codesRedeemed() - before, isConnected ? 1 : 0)
    t.match(await statusOf(id), { status: isConnected ? 'connected' : 'refused' })
  }
})
