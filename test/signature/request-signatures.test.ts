import Fastify from 'fastify'
import t from 'tap'
import { requireSignatures } from '../../src/http/signed.ts'
import { createStrangers } from '../../src/http/strangers.ts'
import { asFailure, sendProblem, toProblem } from '../../src/http/problem.ts'
import { createRequestSignatures } from '../../src/signature/request-signatures.ts'
import { NonceMemory } from '../../src/signature/nonces.ts'
import { signRequest } from '../../src/signature/sign.ts'
import { AUTHORITY, CALLERS, HMAC, NOW } from './support.ts'

// Signatures, nonces, the limit of a caller and its permissions together, on a small app.

const LIMIT = 3

async function start(capacity = 1000) {
  const nonces = new NonceMemory({ secret: 'test', capacity })
  const refused: string[] = []
  const consumed: Buffer[] = []
  const signatures = createRequestSignatures({
    callers: () => CALLERS,
    authorities: new Set([AUTHORITY]),
    scheme: 'http',
    nonces,
    now: () => NOW,
  })
  const app = Fastify()
  app.setErrorHandler((error, request, reply) => sendProblem(request, reply, toProblem(asFailure(error), request.id)))
  await app.register(async (scope) => {
    await requireSignatures(scope, {
      signatures,
      nonces: { consume: async (key) => (consumed.push(key) > 0 ? 'new' : 'replayed') },
      freezes: { isKeyFrozen: async () => false },
      requestsPerMinute: () => LIMIT,
      now: () => NOW,
      strangers: createStrangers({ listener: 'internal', log: app.log, now: () => 0, onEvent: () => {} }),
      isKnownKey: () => false,
      onRefused: ({ detail }) => void refused.push(detail),
      onForbidden: () => {},
    })
    scope.get('/tokens/42', { config: { permission: 'tokens:read' } }, async () => ({}))
    scope.post('/tokens/42', { config: { permission: 'tokens:read' } }, async () => ({}))
    scope.post('/import', { config: { permission: 'integrations:import' } }, async () => ({}))
  })
  const signed = () => signRequest({ method: 'GET', url: `http://${AUTHORITY}/tokens/42` }, HMAC, { now: NOW })
  const send = async (headers = signed()) => app.inject({ url: '/tokens/42', headers: { host: AUTHORITY, ...headers } })
  const post = async (path: string, body: string, sentBody = body) => {
    const outgoing = {
      method: 'POST',
      url: `http://${AUTHORITY}${path}`,
      headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(sentBody)) },
      body,
    }
    const headers = { host: AUTHORITY, ...outgoing.headers, ...signRequest(outgoing, HMAC, { now: NOW }) }
    return app.inject({ method: 'POST', url: path, headers, payload: sentBody })
  }
  return { nonces, refused, consumed, signatures, signed, send, post }
}

t.test('what a caller sends beyond its limit takes no room in the memory that all callers share', async (t) => {
  const { nonces, send } = await start()
  for (let n = 0; n < LIMIT; n++) t.equal((await send()).statusCode, 200)
  for (let n = 0; n < 20; n++) t.equal((await send()).statusCode, 429)
  t.equal(nonces.size, LIMIT)
})

t.test("a request that is sent again uses up nothing of the caller's limit", async (t) => {
  const { refused, signed, send } = await start()
  const captured = signed()
  t.equal((await send(captured)).statusCode, 200)
  for (let n = 0; n < 20; n++) t.equal((await send(captured)).statusCode, 401)
  t.same(new Set(refused), new Set(['replayed']))
  t.equal((await send()).statusCode, 200)
})

t.test('of one request sent several times at once, one is let in', async (t) => {
  const { signed, send } = await start()
  const captured = signed()
  const statuses = await Promise.all(Array.from({ length: LIMIT }, async () => (await send(captured)).statusCode))
  t.same(statuses.sort(), [200, 401, 401])
})

t.test('a full memory refuses with a signed answer that says when to come again', async (t) => {
  const { refused, send } = await start(1)
  t.equal((await send()).statusCode, 200)
  const answer = await send()
  t.equal(answer.statusCode, 429)
  t.ok(answer.headers['signature'])
  t.same(refused, ['nonce_memory_full'])
})

t.test('a checked request is plain data', async (t) => {
  const { signatures, signed } = await start()
  const rawHeaders = Object.entries({ host: AUTHORITY, ...signed() }).flat()
  const checked = signatures.check({ method: 'GET', target: '/tokens/42', rawHeaders })
  if (!('signed' in checked)) throw new Error('refused')
  t.match(checked.signed, { caller: { name: String }, nonce: String, checkedAtMs: NOW })
  for (const [name, value] of Object.entries(checked.signed)) t.not(typeof value, 'function', name)
})

t.test('a write writes its nonce for all replicas; a caller without the permission writes none', async (t) => {
  const { consumed, post } = await start()
  t.equal((await post('/tokens/42', '{}')).statusCode, 200)
  t.equal(consumed.length, 1)
  t.equal((await post('/import', '{}')).statusCode, 403)
  t.equal(consumed.length, 1)
})

t.test('a body that was changed or removed on the way is refused', async (t) => {
  const { refused, post } = await start()
  t.equal((await post('/tokens/42', '{"a":1}', '{"a":2}')).statusCode, 401)
  t.equal((await post('/tokens/42', '{"a":1}', '')).statusCode, 401)
  t.same(refused, ['digest_mismatch', 'body_missing'])
})
