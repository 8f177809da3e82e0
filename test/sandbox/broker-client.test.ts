import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { BROKER_AUTHORITY, generateSecrets } from '../../sandbox/broker.ts'
import { BrokerProblem, type Call, createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { parseCallers } from '../../src/signature/callers.ts'
import { responseKey, signResponse } from '../../src/signature/sign.ts'
import { type VerifiedRequest, verifyRequest } from '../../src/signature/verify.ts'

type Teardown = { teardown(end: () => unknown): unknown }
interface Answer {
  status: number
  body: string
}

/** A server that verifies requests and signs answers like the broker. The test may then change the answers. */
async function start(
  t: Teardown,
  answerTo: (request: VerifiedRequest, body: string) => Answer | 'cut',
  tamper: (sent: { headers: Record<string, string>; answer: Answer }) => void = () => {},
) {
  const secrets = generateSecrets(Date.now())
  const callers = parseCallers(secrets.callers, Date.now())
  const nonces: string[] = []
  const server = createServer((incoming, outgoing) => {
    let body = ''
    incoming.on('data', (chunk: Buffer) => (body += String(chunk)))
    incoming.on('end', () => {
      const message = {
        method: incoming.method!,
        target: incoming.url!,
        scheme: 'http' as const,
        rawHeaders: incoming.rawHeaders,
      }
      const request = verifyRequest(message, { callers, authorities: new Set([BROKER_AUTHORITY]), now: Date.now() })
      if (request.kind === 'refused') return void outgoing.writeHead(401).end('{"code":"invalid_signature"}')
      nonces.push(request.nonce)
      const answer = answerTo(request, body)
      if (answer === 'cut') return void outgoing.destroy()
      const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' }
      Object.assign(
        headers,
        signResponse({ ...answer, headers }, request, responseKey(request, undefined)!, { now: Date.now() }),
      )
      tamper({ headers, answer })
      outgoing.writeHead(answer.status, headers).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const calls: Call[] = []
  const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createBrokerClient({
    address,
    authority: BROKER_AUTHORITY,
    key: secrets.megdocsKey,
    onCall: (call) => calls.push(call),
  })
  return { client, nonces, calls, address, secrets }
}

async function problemOf(call: Promise<unknown>): Promise<unknown> {
  const error = await call.then(
    () => undefined,
    (refused: unknown) => refused,
  )
  return error instanceof BrokerProblem ? error.problem : error
}

const token = (): Answer => ({ status: 200, body: JSON.stringify({ access_token: 'eyJ-secret', generation: 7 }) })

t.test('a signed call gets its answer, and the summary that is shown has no token', async (t) => {
  const { client, calls } = await start(t, () => token())
  t.match(await client.token('u-1'), { access_token: 'eyJ-secret', generation: 7 })
  t.match(calls, [{ what: 'GET /tokens/u-1', status: 200, note: 'generation 7' }])
  t.notMatch(JSON.stringify(calls), /eyJ/)
})

t.test('a body is sent exactly as signed', async (t) => {
  const bodies: string[] = []
  const { client } = await start(t, (request, body) => {
    bodies.push(body)
    t.ok(request.covered.some(([name]) => name === '"content-digest"'))
    return token()
  })
  await client.refresh('u-1', 6)
  t.same(bodies, ['{"generation":6}'])
})

t.test('after a broken connection the client retries once, with a new signature', async (t) => {
  let cuts = 1
  const { client, nonces } = await start(t, () => (cuts-- > 0 ? 'cut' : token()))
  await client.token('u-1')
  t.equal(nonces.length, 2)
  t.not(nonces[0], nonces[1])
})

t.test('a broker that cannot be reached gives a problem with its own code', async (t) => {
  const { client, nonces } = await start(t, () => 'cut')
  t.match(await problemOf(client.token('u-1')), { status: 0, code: 'broker_unreachable' })
  t.equal(nonces.length, 2)
})

t.test(
  'problems of the broker have code and reason; not_connected is not an error where it is a valid answer',
  async (t) => {
    const problem = { status: 404, code: 'not_connected', title: 'Not connected' }
    const { client } = await start(t, () => ({ status: 404, body: JSON.stringify(problem) }))
    t.same(await problemOf(client.token('u-1')), problem)
    t.equal(await client.integration('u-1'), undefined)
  },
)

t.test('an answer that the broker did not sign for this request is not used', async (t) => {
  const first: Record<string, string> = {}
  const cases: [string, Parameters<typeof start>[2]][] = [
    ['unsigned', ({ headers }) => delete headers['signature']],
    ['its body changed', ({ answer }) => (answer.body = answer.body.replace('7', '8'))],
    ['its status changed', ({ answer }) => (answer.status = 201)],
    [
      'the answer to an earlier request',
      ({ headers }) => void (first['signature'] ? Object.assign(headers, first) : Object.assign(first, headers)),
    ],
  ]
  for (const [name, tamper] of cases) {
    const { client } = await start(t, () => token(), tamper)
    if (name.startsWith('the answer')) await client.token('u-1')
    t.match(await problemOf(client.token('u-1')), { status: 0, code: 'untrusted_answer' }, name)
  }
})

t.test('a caller that the broker does not know gets invalid_signature', async (t) => {
  const { address } = await start(t, () => token())
  const stranger = createBrokerClient({
    address,
    authority: BROKER_AUTHORITY,
    key: generateSecrets(Date.now()).megdocsKey,
  })
  t.match(await problemOf(stranger.token('u-1')), { status: 401, code: 'invalid_signature' })
})
