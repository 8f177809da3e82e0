import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import Schema from 'typebox/schema'
import t from 'tap'
import { request } from 'undici'
import { openApiText } from '../../src/cli/openapi.ts'
import { FAILURE_CODES } from '../../src/core/failure.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import {
  WORKED_ANSWER,
  WORKED_AT,
  WORKED_GET,
  WORKED_POST,
  type WorkedRequest,
} from '../../src/http/worked-examples.ts'
import { signingGuide } from '../../src/http/signing-guide.ts'
import { signatureBase, type BaseLine } from '../../src/signature/base.ts'
import type { Caller } from '../../src/signature/callers.ts'
import { signingKey, type SigningKey } from '../../src/signature/keys.ts'
import { CALLER_PERMISSIONS } from '../../src/core/caller-permissions.ts'
import { signRequest, signResponse, toMessage } from '../../src/signature/sign.ts'
import { verifyRequest, type VerifiedRequest } from '../../src/signature/verify.ts'
import { verifyResponse } from '../../src/signature/verify-response.ts'
import { startWorld } from '../support/world.ts'

interface Media {
  schema: object
  example?: unknown
  examples?: Record<string, { value: unknown }>
}
interface Operation {
  operationId: string
  summary?: string
  description?: string
  security: { signature: string[] }[]
  parameters?: { name: string; in: string; description?: string; schema: object; example?: unknown }[]
  requestBody?: { content: Record<string, Media> }
  responses: Record<string, { description: string; content?: Record<string, Media>; headers?: object }>
}
interface Document {
  openapi: string
  info: { version: string }
  security: object[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; securitySchemes: Record<string, { description: string }> }
}

const text = await openApiText()
const document = JSON.parse(text) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ at: `${method} ${path}`, operation })),
)
const examplesOf = ({ example, examples }: Media): unknown[] => [
  ...(example === undefined ? [] : [example]),
  ...Object.values(examples ?? {}).map(({ value }) => value),
]

/** The schema with its components inside, as JSON Schema 2020-12 reads it. */
const standalone = (schema: object): object =>
  JSON.parse(
    JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll('#/components/schemas/', '#/$defs/'),
  ) as object
const fits = (schema: object, value: unknown): boolean => Schema.Check(standalone(schema), value)

t.test('the committed document is what the routes say (npm run openapi writes it)', async (t) => {
  t.ok(readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8') === `${text}\n`)
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  t.match(document, { openapi: '3.1.0', info: { version }, security: [{ signature: [] }] })
})

t.test('every operation and parameter is described, every answer has its words', async (t) => {
  t.ok(operations.length >= 8)
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length)
  for (const { at, operation } of operations) {
    t.ok(operation.summary && operation.description, at)
    for (const { name, description } of operation.parameters ?? []) t.ok(description, `${at} ${name}`)
    for (const [status, { description }] of Object.entries(operation.responses))
      t.not(description, 'Default Response', `${at} ${status}`)
  }
})

t.test(
  'every failure lists its codes, each with an example of its status; 429 and 503 document Retry-After',
  async (t) => {
    const shown = new Set<string>()
    for (const { at, operation } of operations) {
      for (const [status, { description, content, headers }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue
        const { examples = {} } = content!['application/problem+json']!
        t.ok(Object.keys(examples).length > 0, `${at} ${status}`)
        for (const [code, { value }] of Object.entries(examples)) {
          shown.add(code)
          t.ok(description.includes(`\`${code}\``), `${at} ${status} ${code}`)
          t.match(value, { code, status: Number(status) })
        }
        t.equal(headers !== undefined, status === '429' || status === '503', `${at} ${status} Retry-After`)
      }
    }
    t.strictSame(
      FAILURE_CODES.filter((code) => !shown.has(code)),
      [],
      'every code is answered somewhere',
    )
    for (const code of FAILURE_CODES)
      t.ok(text.includes(`\`${code}\` (${PROBLEMS[code].status})`), `${code} in the list`)
  },
)

t.test('every operation names the permission it needs, and every permission is needed somewhere', async (t) => {
  const needed = operations.map(({ at, operation: { security, description } }) => {
    const permission = security[0]?.signature[0] ?? ''
    t.ok(description?.endsWith(` Needs the permission \`${permission}\`.`), at)
    t.equal(security.length, 1, at)
    return permission
  })
  t.strictSame([...new Set(needed)].sort(), [...CALLER_PERMISSIONS].sort())
})

t.test('every list of an answer that may gain values is marked for programs too', async (t) => {
  const lists: { name: string; open: boolean }[] = []
  const collect = (name: string, node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    if ('enum' in node) lists.push({ name, open: 'x-more-may-come' in node })
    for (const [key, value] of Object.entries(node)) {
      const step = /^(items|properties|components|schemas|paths|content|schema)$/.test(key) ? '' : `.${key}`
      collect(`${name}${step}`, value)
    }
  }
  collect('', document.components)
  t.strictSame(lists.map(({ name, open }) => `${name.slice(1)} ${open ? 'open' : 'closed'}`).sort(), [
    'Actor closed',
    'Code open',
    'ConnectSession.intent closed',
    'ConnectSession.outcome.result open',
    'ConnectSession.status open',
    'Event.cause open',
    'Event.freeze.scope open',
    'Event.type open',
    'Freeze.scope open',
    'ImportResult.reason open',
    'ImportResult.result open',
    'Integration.status open',
    'Reason open',
    'Token.token_type closed',
  ])
  const requests = operations.map(({ operation: { parameters, requestBody } }) => ({ parameters, requestBody }))
  t.notMatch(JSON.stringify(requests), /x-more-may-come/, 'a request is checked against its list')
})

t.test('every body and answer has an example, and each fits its schema', async (t) => {
  for (const { at, operation } of operations) {
    const bodies = Object.values(operation.requestBody?.content ?? {})
    const answers = Object.values(operation.responses).flatMap(({ content = {} }) => Object.values(content))
    for (const media of [...bodies, ...answers]) {
      t.ok(examplesOf(media).length > 0, `${at} has an example`)
      for (const example of examplesOf(media)) t.ok(fits(media.schema, example), `${at}: ${JSON.stringify(example)}`)
    }
    for (const { name, in: place, schema, example } of operation.parameters ?? []) {
      if (place === 'path') t.ok(fits(schema, example), `${at} ${name}`)
    }
  }
  t.notOk(fits(document.components.schemas['Token']!, { user_id: '42' }), 'and what does not fit is noticed')
  t.notOk(
    fits(document.components.schemas['Problem']!, {
      ...(examplesOf(operations[0]!.operation.responses['401']!.content!['application/problem+json']!)[0] as object),
      code: 'no_such_code',
    }),
  )
})

const NOW = WORKED_AT * 1000
const secondOf = (worked: WorkedRequest): SigningKey =>
  signingKey(worked.key.keyId, worked.key.algorithm, worked.key.material)

function verified(worked: WorkedRequest): VerifiedRequest {
  const { key } = secondOf(worked)
  const caller: Caller = {
    name: 'megdocs',
    permissions: new Set(),
    strictReplay: false,
    signResponses: true,
    claimsChallenges: false,
    keys: [],
  }
  const mine = {
    keyId: worked.key.keyId,
    algorithm: worked.key.algorithm,
    key: key.type === 'private' ? createPublicKey(key) : key,
    notBefore: 0,
    notAfter: Infinity,
  }
  const length = worked.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(worked.body)) }
  const verdict = verifyRequest(toMessage({ ...worked, headers: { ...worked.headers, ...length, ...worked.adds } }), {
    callers: { list: [caller], byKeyId: new Map([[mine.keyId, { caller, key: mine }]]) },
    authorities: new Set([new URL(worked.url).host]),
    now: NOW,
  })
  if (verdict.kind !== 'verified') throw new Error(verdict.detail)
  return verdict
}

for (const worked of [WORKED_GET, WORKED_POST]) {
  t.test(
    `worked example "${worked.title}": base and headers are what src/signature makes, and the broker accepts them`,
    async (t) => {
      const { nonce, covered, signatureInput } = verified(worked)
      t.strictSame(signRequest(worked, secondOf(worked), { now: NOW, nonce, expiresInSeconds: 30 }), worked.adds)
      t.equal(signatureBase(covered, signatureInput.slice('sig1='.length)), worked.base.join('\n'))
      for (const line of [
        ...worked.base,
        worked.key.material,
        ...Object.entries(worked.adds).map(([name, value]) => `${name}: ${value}`),
      ])
        t.ok(signingGuide().includes(line), line)
    },
  )
}

t.test('worked answer: base and headers are what src/signature makes, and a caller accepts it', async (t) => {
  const request = verified(WORKED_GET)
  const key = secondOf(WORKED_GET)
  const { status, headers, body, base, adds } = WORKED_ANSWER
  t.strictSame(signResponse({ status, headers, body }, request, key, { now: NOW + 1000 }), adds)
  const lines: BaseLine[] = base
    .slice(0, -1)
    .map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)])
  t.equal(signatureBase(lines, adds['signature-input']!.slice('sig1='.length)), base.join('\n'))
  const received = { status, headers: { ...headers, ...adds }, body: Buffer.from(body) }
  t.match(verifyResponse(received, { ...WORKED_GET, headers: WORKED_GET.adds }, key, { now: NOW }), {
    kind: 'verified',
  })
  t.ok(document.components.securitySchemes['signature']!.description.includes(base.at(-1)!))
})

const world = await startWorld(t)
async function look(path: string, headers: Record<string, string> = {}, base = world.replica.internalUrl) {
  const { statusCode: status, headers: received, body } = await request(base + path, { headers })
  return { status, headers: received, text: await body.text() }
}
/** What Chromium sends along when somebody opens a page or a page loads a script. */
const BROWSER = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' }
const POLICY =
  "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';base-uri 'none';form-action 'none';frame-ancestors 'none'"

t.test(
  'the reference page is there with and without a slash, unsigned, and everything on it comes from the same place',
  async (t) => {
    for (const path of ['/docs', '/docs/']) {
      const page = await look(path, BROWSER)
      t.match(page, {
        status: 200,
        headers: {
          'content-type': /^text\/html/,
          'content-security-policy': POLICY,
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'DENY',
          'cache-control': 'no-store',
        },
      })
      t.notMatch(page.text, /<script(?![^>]* src=)|<style|\bon\w+=|https?:/, 'nothing inline, nothing from elsewhere')
      const files = [...page.text.matchAll(/ (?:src|href)="([^"]+)"/g)].map(
        ([, file]) => new URL(file!, `${world.replica.internalUrl}${path}`),
      )
      t.ok(files.length >= 6)
      for (const { pathname } of files)
        t.match(
          await look(pathname, BROWSER),
          { status: 200, headers: { 'content-security-policy': POLICY, 'x-content-type-options': 'nosniff' } },
          pathname,
        )
    }
  },
)

t.test('the page is given every operation and the signing guide, and nothing to try them with', async (t) => {
  const { status, text: given } = await look('/docs/json', BROWSER)
  t.equal(status, 200)
  const { info, ...rest } = JSON.parse(given) as Document & { info: { description: string } }
  t.ok(info.description.includes(signingGuide()))
  const { info: _, ...wanted } = document
  t.strictSame(
    { ...rest, servers: [] },
    { ...wanted, servers: [] },
    'the page shows the same operations and security as the document',
  )
  t.match(await look('/docs/yaml', BROWSER), { status: 404, text: /"code":"not_found"/ }, 'and there is no third copy')
  t.match((await look('/docs/static/swagger-initializer.js', BROWSER)).text, /"supportedSubmitMethods":\[\]/)
  const served = JSON.parse((await look('/openapi.json')).text) as Document
  t.strictSame({ ...served, servers: [] }, { ...document, servers: [] }, 'the document itself is left as it is')
})

t.test('beside the page everything is as it was: signed or refused', async (t) => {
  t.match(await look('/docs/static/nothing.js'), {
    status: 404,
    headers: { 'content-type': /^application\/problem\+json/ },
    text: /"code":"not_found"/,
  })
  for (const path of ['/docs/static/..%2f..%2fpackage.json', '/docs/static/%2e%2e/%2e%2e/package.json'])
    t.notMatch(await look(path), { status: 200 }, path)
  for (const path of ['/docs/nothing', '/docsx', '/nothing', '/tokens/42']) {
    t.match(
      await look(path),
      {
        status: 401,
        headers: { 'content-type': /^application\/problem\+json/, 'content-security-policy': undefined },
        text: /"code":"invalid_signature"/,
      },
      path,
    )
  }
  t.match(await look('/tokens/42', BROWSER), { status: 401 })
  t.match(world.replica.logged(), /"refused":"sent_by_a_browser"/)
  for (const path of ['/docs', '/docs/', '/docs/json'])
    t.equal((await look(path, {}, world.replica.publicUrl)).status, 404, `${path} is no page for the public`)
})
