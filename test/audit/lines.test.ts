import { createHmac } from 'node:crypto'
import t from 'tap'
import { IMPORT_ROW } from '../../src/http/examples.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { signRequest } from '../../src/signature/sign.ts'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { startWorld, type Replica, type World } from '../support/world.ts'

// Audit lines of a running broker, as they stand in its log.

type Line = Record<string, unknown>
const linesOf = (replica: Replica): Line[] =>
  replica
    .logged()
    .split('\n')
    .filter((line) => line.includes('"audit":'))
    .map((line) => JSON.parse(line) as Line)
const last = (replica: Replica): Line => linesOf(replica).at(-1)!

/** Sends a request whose context may be missing from the signature. */
async function read(world: World, headers: Record<string, string>, covered: Record<string, string> = headers) {
  const { key_id: id, algorithm, secret } = world.secrets.megdocsKey
  const url = `http://${BROKER_AUTHORITY}/tokens/42`
  const signed = signRequest({ method: 'GET', url, headers: covered }, signingKey(id, algorithm, secret!), {
    now: Date.now(),
  })
  return world.replica.internal.inject({
    method: 'GET',
    url: '/tokens/42',
    headers: { host: BROKER_AUTHORITY, ...signed, ...headers },
  })
}

t.test('a token leaves one line: whose, to whom, with which key, from where, which one, for what', async (t) => {
  const world = await startWorld(t, { env: { LOG_LEVEL: 'silent' } })
  await world.connect('42')
  const { replica, caller } = world
  const before = linesOf(replica).length
  const { generation, account } = await caller.token('42', 'document:4711/v2@ward-3')
  const lines = linesOf(replica)
  t.equal(lines.length, before + 1)
  t.match(lines.at(-1), {
    level: 'info',
    service: 'token-broker',
    audit: 'token_handed_out',
    v: 1,
    life: replica.services.auditLog.life,
    user_id: '42',
    caller: 'megdocs',
    key_id: world.secrets.megdocsKey.key_id,
    peer: '127.0.0.1',
    generation,
    tenant_id: account!.tenant_id,
    object_id: account!.object_id,
    request_id: /^[0-9a-f-]{36}$/,
    context: 'document:4711/v2@ward-3',
    method: 'GET',
    route: '/tokens/:userId',
    status: 200,
    ms: Number,
    mac: /^[\w+/]{22}$/,
  })
  t.notOk(replica.logged().includes('"msg":"answered"') && /"answered"[^\n]*token_handed_out/.test(replica.logged()))
})

t.test('every refusal of an authenticated caller leaves one line with its code; a stranger leaves none', async (t) => {
  const world = await startWorld(t)
  const { replica, caller } = world
  const refused = async (send: () => Promise<unknown>, expected: object) => {
    const before = linesOf(replica).length
    await send().catch(() => {})
    const lines = linesOf(replica)
    t.equal(lines.length, before + 1, JSON.stringify(expected))
    t.match(lines.at(-1), { audit: 'refused', caller: 'megdocs', peer: '127.0.0.1', ...expected })
  }
  await refused(() => caller.token('nobody'), { user_id: 'nobody', code: 'not_connected', status: 404 })
  await refused(() => caller.send('GET', '/tokens/42?min_ttl=9999'), { code: 'invalid_request', status: 422 })
  await refused(() => caller.send('GET', '/no-such-route'), { code: 'not_found', route: 'none' })
  await refused(() => caller.complete('00000000-0000-4000-8000-000000000000', '42', 'A'.repeat(43)), {
    user_id: '42',
    code: 'not_found',
  })
  const before = linesOf(replica).length
  const answer = await replica.internal.inject({ url: '/tokens/42', headers: { host: BROKER_AUTHORITY } })
  t.equal(answer.statusCode, 401)
  t.equal(linesOf(replica).length, before)
})

t.test('Broker-Context must be covered by the signature and have its form', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  t.equal((await read(world, { 'broker-context': 'document:1' })).statusCode, 200)
  const added = await read(world, { 'broker-context': 'document:2' }, {})
  t.match([added.statusCode, added.json()], [401, { code: 'invalid_signature' }])
  const changed = await read(world, { 'broker-context': 'document:2' }, { 'broker-context': 'document:1' })
  t.match([changed.statusCode, changed.json()], [401, { code: 'invalid_signature' }])
  for (const value of ['a b', 'ü', '{"a":1}', 'x'.repeat(257)]) {
    const before = linesOf(world.replica).length
    const answer = await read(world, { 'broker-context': value })
    if (value === 'ü') {
      t.equal(answer.statusCode, 401, 'no byte beyond ASCII is signed')
      continue
    }
    t.match([answer.statusCode, answer.json()], [422, { invalid: [{ field: 'headers.broker-context' }] }])
    t.ok(answer.headers['signature'], 'the answer is signed')
    t.equal(linesOf(world.replica).length, before + 1)
    t.equal(last(world.replica)['context'], undefined, 'a value of another form is not logged')
  }
  t.equal((await read(world, { 'broker-context': 'x'.repeat(256) })).statusCode, 200)
  t.equal(linesOf(world.replica).filter(({ context }) => context === 'document:2').length, 0)
})

t.test('what changes an integration leaves a line', async (t) => {
  const world = await startWorld(t)
  const { replica, caller } = world
  const { id } = await world.connect('42')
  await caller.endBrowserSessions('42')
  await caller.send('POST', '/integrations/import', { rows: [IMPORT_ROW], dry_run: true })
  await caller.disconnect('42')
  t.match(
    linesOf(replica).filter(({ audit }) => audit !== 'refused'),
    [
      { audit: 'connect_begun', user_id: '42', intent: 'connect', connect_session: id },
      { audit: 'connect_completed', user_id: '42', outcome: 'connected', connect_session: id },
      { audit: 'browser_sessions_ended', user_id: '42' },
      { audit: 'imported', dry_run: true, counts: { imported: Number } },
      { audit: 'disconnected', user_id: '42', was_connected: true, caller: 'megdocs' },
    ],
  )
})

t.test('lines are numbered and chained: each MAC is over its text, and names the one before', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  for (let i = 0; i < 3; i++) await world.caller.token('42')
  const texts = world.replica
    .logged()
    .split('\n')
    .filter((line) => line.includes('"audit":'))
  const [id, key] = world.secrets.auditKeys.split(':') as [string, string]
  let prev: unknown
  for (const [i, text] of texts.entries()) {
    const line = JSON.parse(text) as Line
    const cut = text.lastIndexOf(',"mac":"')
    const mac = createHmac('sha256', Buffer.from(key, 'base64'))
      .update(text.slice(0, cut))
      .digest('base64')
      .slice(0, 22)
    t.match(line, { number: i + 1, mac_key: id, mac })
    t.equal(line['prev'], prev)
    prev = line['mac']
    t.ok(text.length < 4_096)
  }
})
