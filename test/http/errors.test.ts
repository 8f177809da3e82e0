import t from 'tap'
import { request } from 'undici'
import { buildOperationsApp, MAX_HEADER_BYTES } from '../../src/app.ts'
import { Failure } from '../../src/core/failure.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import { texts } from '../../src/texts/texts.ts'
import { raw } from '../support/raw.ts'
import { startWorld } from '../support/world.ts'
import { call } from './signed-call.ts'

// What goes out when an answer itself fails, and for requests that no route gets. Never a body of Fastify or Node,
// always our headers.

const world = await startWorld(t)
const { replica } = world
const { services, publicUrl, internalUrl } = replica
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/
/** In the message of every seeded fault: it must not reach a client. */
const SEEDED = 'seeded-fault'
const ACCOUNT = '/accounts/account/microsoft/'

const fail = (): never => {
  throw new TypeError(SEEDED)
}
/**
 * What is thrown, of which some part cannot be read, and the status of the page: it needs fewer parts than a problem.
 */
const broken: { name: string; thrown: unknown; page: number }[] = [
  { name: 'null', thrown: null, page: 500 },
  {
    name: 'a failure without facts',
    thrown: Object.defineProperty(new Failure('not_found'), 'facts', { get: fail }),
    page: 500,
  },
  {
    name: 'a failure whose reason throws',
    thrown: new Failure('not_found', Object.defineProperty({}, 'reason', { get: fail })),
    page: 404,
  },
  {
    name: 'a code that this release does not know',
    thrown: Object.defineProperty(new Failure('not_found'), 'code', { value: 'no_such_code' }),
    page: 500,
  },
  {
    name: 'an error whose name throws',
    thrown: Object.defineProperty(new Error(SEEDED), 'name', { get: fail }),
    page: 500,
  },
  {
    name: 'an error that the logger cannot write',
    thrown: Object.defineProperty(new TypeError(SEEDED), 'stack', { get: fail }),
    page: 500,
  },
]

/** Runs `work` while `member` of `object` is another one. */
async function replaced<T extends object, K extends keyof T>(
  object: T,
  member: K,
  by: T[K],
  work: () => Promise<void>,
) {
  const before = object[member]
  object[member] = by
  try {
    await work()
  } finally {
    object[member] = before
  }
}

function errorLinesOf(id: string): number {
  const lines = replica.logged().split('\n')
  return lines.filter((line) => line.includes(id) && line.includes('"level":"error"')).length
}

const PROBLEM_HEADERS = { 'content-type': /^application\/problem\+json/, 'cache-control': 'no-store' }
const PAGE_HEADERS = {
  'content-type': /^text\/html/,
  'cache-control': 'no-store',
  'content-security-policy': /^default-src 'none'/,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
}
const referenceOn = (page: string): string => UUID.exec(/<footer>.*<\/footer>/s.exec(page)?.[0] ?? '')?.[0] ?? ''

async function accountPage() {
  const browser = world.stoppingBrowser()
  await browser.open((await world.caller.beginConnect('42', { intent: 'manage' })).url)
  return browser.open(world.baseUrl + ACCOUNT)
}

for (const { name, thrown, page: pageStatus } of broken) {
  t.test(`each listener answers in its own form if ${name} is thrown`, async (t) => {
    const raise = async (): Promise<never> => {
      throw thrown
    }
    await replaced(services.integrations, 'summary', raise, async () => {
      const answer = await call(world, { method: 'GET', path: '/integrations/42' })
      t.match(answer, {
        status: 500,
        signature: 'verified',
        headers: PROBLEM_HEADERS,
        body: {
          type: 'urn:token-broker:problem:internal_error',
          status: 500,
          code: 'internal_error',
          request_id: UUID,
        },
      })
      t.notMatch(answer.text, SEEDED)
      t.equal(errorLinesOf(answer.body.request_id), 1)

      const page = await accountPage()
      t.match(page, { status: pageStatus, headers: PAGE_HEADERS })
      t.notMatch(page.html, SEEDED)
      t.equal(errorLinesOf(referenceOn(page.html)), pageStatus === 500 ? 1 : 0)
    })

    // What readiness reads from the services throws.
    const operations = await buildOperationsApp({
      ...services,
      get database(): never {
        throw new Error(SEEDED)
      },
    })
    t.teardown(() => operations.close())
    const answer = await operations.inject('/readyz')
    t.match(answer, { statusCode: 500, headers: PROBLEM_HEADERS })
    t.match(answer.json(), { code: 'internal_error', request_id: UUID })
    t.notMatch(answer.body, SEEDED)
    t.equal(errorLinesOf(answer.json().request_id), 1)
  })
}

t.test('a page that fails, and then its problem page, ends in the page that was made at the start', async (t) => {
  const { entryUrls } = services.site
  Object.defineProperty(services.site, 'entryUrls', { get: fail, configurable: true, enumerable: true })
  for (const path of [ACCOUNT, '/nothing']) {
    const answer = await request(publicUrl + path, { headers: { 'accept-language': 'de' } })
    const html = await answer.body.text()
    t.match(answer, { statusCode: 500, headers: { ...PAGE_HEADERS, 'content-language': 'de' } })
    t.match(html, texts.de.problems.internal_error.title)
    t.notMatch(html, SEEDED)
    t.equal(errorLinesOf(referenceOn(html)), 1)
  }
  Object.defineProperty(services.site, 'entryUrls', { value: entryUrls, enumerable: true })
})

t.test('a hook that fails on every answer costs neither the answer nor its headers', async (t) => {
  const { url } = await world.caller.beginConnect('42')
  await replaced(services.browserSessions, 'create', fail, async () => {
    const answer = await request(url)
    const html = await answer.body.text()
    t.match(answer, { statusCode: 500, headers: { ...PAGE_HEADERS, 'set-cookie': undefined, location: undefined } })
    t.match(html, texts.en.problems.internal_error.title)
  })
  await world.connect('43')
  await replaced(services.signatures, 'signAnswer', fail, async () => {
    const answer = await call(world, { method: 'GET', path: '/tokens/43' })
    t.match(answer, { status: 500, headers: PROBLEM_HEADERS, body: { code: 'internal_error' } })
    t.notMatch(answer.text, /access_token/, 'no token goes out unsigned')
  })
})

t.test('operations: an unknown path, with a body or without, is answered as a problem', async (t) => {
  const { operations } = replica
  const headers = { 'content-type': 'application/json' }
  for (const { code, ...sent } of [
    { code: 'not_found', method: 'GET', url: '/nothing' },
    { code: 'not_found', method: 'POST', url: '/livez', headers, payload: '{' },
  ] as const) {
    const answer = await operations.inject(sent)
    t.match(answer, { statusCode: PROBLEMS[code].status, headers: PROBLEM_HEADERS })
    t.match(answer.json(), { code, title: PROBLEMS[code].title })
    t.notOk(answer.body.includes(sent.url), 'the path is not repeated')
  }
})

t.test('public: a body that no route reads is answered by a page', async (t) => {
  const bodies = [
    { 'content-type': 'application/json', body: '{' },
    { 'content-type': 'text/plain', body: 'x' },
    { 'content-type': 'application/json', body: `"${'x'.repeat(100_000)}"` },
  ]
  for (const { body, ...headers } of bodies) {
    for (const path of ['/nothing', `${ACCOUNT}disconnect`]) {
      const answer = await request(publicUrl + path, { method: 'POST', headers, body })
      t.match(answer, { headers: PAGE_HEADERS })
      t.notMatch(await answer.body.text(), /statusCode|FST_/)
    }
  }
})

/** Sends bytes and reads until the connection ends. */
async function exchange(url: string, bytes: string): Promise<{ head: string; body: string }> {
  const [head = '', body = ''] = (await raw(url, bytes)).split('\r\n\r\n')
  return { head: head.toLowerCase(), body }
}

const UNPARSABLE = [
  { name: 'a method that HTTP does not know', bytes: 'FOO / HTTP/1.1\r\nHost: x\r\n\r\n', status: 400 },
  { name: 'no HTTP at all', bytes: '\x16\x03\x01\r\n\r\n', status: 400 },
  { name: 'a field without a name', bytes: 'GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n', status: 400 },
  {
    name: 'too many header bytes',
    bytes: `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(MAX_HEADER_BYTES)}\r\n\r\n`,
    status: 431,
  },
]

t.test('what Node cannot parse is answered in the form of the listener', async (t) => {
  const operationsUrl = await replica.operations.listen({ host: '127.0.0.1', port: 0 })
  for (const { name, bytes, status } of UNPARSABLE) {
    for (const url of [internalUrl, operationsUrl]) {
      const { head, body } = await exchange(url, bytes)
      t.match(head, new RegExp(`^http/1\\.1 ${status} `), name)
      t.match(head, /content-type: application\/problem\+json/)
      t.match(head, /cache-control: no-store/)
      const problem = JSON.parse(body) as { request_id: string }
      t.match(problem, { type: 'urn:token-broker:problem:invalid_request', status, code: 'invalid_request' })
      t.match(replica.logged(), problem.request_id, 'found in the log')
    }
    const { head, body } = await exchange(publicUrl, bytes)
    t.match(head, new RegExp(`^http/1\\.1 ${status} `), name)
    for (const header of ['content-type: text/html', "content-security-policy: default-src 'none'", 'nosniff'])
      t.ok(head.includes(header), header)
    const { invalid_request: invalid, request_too_large: tooLarge } = texts.en.problems
    t.ok(body.includes((status === 431 ? tooLarge : invalid).title), name)
    t.match(replica.logged(), referenceOn(body))
  }
})

t.test('of a request that is far too large, the whole page arrives, in the language of its reader', async (t) => {
  const fields = ['Host: x', 'Accept-Language: de', `Cookie: ${'c'.repeat(2_000_000)}`]
  const { head, body } = await exchange(publicUrl, `GET / HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
  t.match(head, /^http\/1\.1 431 /)
  t.match(body, new RegExp(`<html lang="de">[^]*${texts.de.problems.request_too_large.title}[^]*</html>`))
  const { body: chosen } = await exchange(
    publicUrl,
    `GET /?lang=es HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(MAX_HEADER_BYTES)}\r\n\r\n`,
  )
  t.match(chosen, /<html lang="es">/)
})

t.test('an address that cannot be decoded, and an unusual method, are not found', async (t) => {
  for (const [base, type] of [
    [publicUrl, /^text\/html/],
    [internalUrl, /problem\+json/],
  ] as const) {
    const undecodable = await request(`${base}/%E0%A4%A`)
    t.match(undecodable.headers['content-type'], type)
    t.notMatch(await undecodable.body.text(), /FST_|%E0/)
    const unusual = await exchange(base, 'PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    t.match(unusual.head, base === publicUrl ? /content-type: text\/html/ : /content-type: application\/problem\+json/)
  }
})
