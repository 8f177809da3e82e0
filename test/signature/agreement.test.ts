// Each request that our verifier accepts must also be accepted by two independent implementations, with the identical
// base and parameters (RFC 9421 section 7.5.3): structured-headers parses the fields, http-message-sig verifies the
// signature. Requests are random, inside and near the profile. Each has a correct signature over what it presents.
//
// AGREEMENT_CASES sets their number (npm test: 20,000; npm run nightly: 200,000).
// AGREEMENT_SEED repeats a run; a failure prints its seed.
import { parseDictionary, serializeDictionary } from 'structured-headers'
import { verifySignature } from 'http-message-sig'
import fc from 'fast-check'
import t from 'tap'
import { signatureBase } from '../../src/signature/base.ts'
import type { RequestMessage } from '../../src/signature/base.ts'
import { contentDigest } from '../../src/signature/content-digest.ts'
import { signatureMatches } from '../../src/signature/keys.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import type { VerifiedRequest } from '../../src/signature/verify.ts'
import { AUTHORITY, BODY, ED25519, get, HMAC, message, NOW_S, OPTIONS, params, sign } from './support.ts'
import type { Draft } from './support.ts'

const CASES = Number(process.env['AGREEMENT_CASES'] ?? 20_000)
const SEED = Number(process.env['AGREEMENT_SEED'] ?? Date.now() % 2 ** 31)

const often = <T>(usual: T, rare: fc.Arbitrary<T>) => {
  return fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: rare })
}
const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
})
const segment = fc.stringMatching(/^[A-Za-z0-9._~!$&'()*+,;=:@%-]{0,8}$/)
const path = fc.oneof(
  fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  fc.constantFrom('/', '//', '/./a', '/a/../b', '/%2e%2e/a', '/a%2Fb', '/a;x', '/"quoted"', '/a\\b', '/{a}|b'),
)
const query = fc.oneof(
  fc.constant(''),
  fc.stringMatching(/^[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,12}$/).map((text) => `?${text}`),
)
const fields: [string, string][] = [
  ['Accept', 'application/json'],
  ['X-Empty', ''],
  ['x-spaced', '  a  b\t'],
  ['X-Twice', 'a'],
  ['X-Twice', 'b'],
]
const bodyFields: [string, string][] = [
  ['Content-Type', 'application/json'],
  ['Content-Digest', contentDigest(BODY)],
  ['Content-Length', String(BODY.length)],
]
const extras = ['"accept"', '"x-empty"', '"x-spaced"', '"host"']
const unusual = [
  '"x-twice"',
  '"x-none"',
  '"@method"',
  '"@status"',
  '"@foo"',
  '"Accept"',
  '"accept";sf',
  '"accept";req',
  '"@signature-params"',
  '"@query-param";name="a"',
  '"a\\"b"',
  '"accept" ',
  '',
  'accept',
  '"signature"',
  '"signature-input"',
  '"@request-target"',
  '"@scheme"',
]
const time = (usual: number) =>
  often(
    `${usual}`,
    fc.oneof(
      fc.integer({ min: NOW_S - 70, max: NOW_S + 70 }).map(String),
      fc.constantFrom(
        `${usual}.0`,
        `0${usual}`,
        `"${usual}"`,
        `@${usual}`,
        `-${usual}`,
        `${usual}0000000`,
        '?1',
        ' 1',
        '1e9',
      ),
    ),
  )
const quoted = (text: fc.Arbitrary<string>) => text.map((value) => `"${value}"`)
const nonce = often(`"${'n'.repeat(22)}"`, quoted(fc.oneof(fc.stringMatching(/^[A-Za-z0-9_-]{20,66}$/), printable)))
const tag = often(
  '"token-broker/1"',
  fc.oneof(quoted(printable), fc.constantFrom('token-broker/1', ':AAAA:', '1', '%"a"')),
)
const label = often(
  'sig1',
  fc.oneof(fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/), fc.constantFrom('Sig', '1a', '', 'a b', 'a=b', '*')),
)

const drafts: fc.Arbitrary<Draft> = fc
  .record({
    key: fc.oneof({ weight: 3, arbitrary: fc.constant(HMAC) }, { weight: 1, arbitrary: fc.constant(ED25519) }),
    method: often('GET', fc.constantFrom('DELETE', 'get', 'POST', 'Get')),
    path,
    query,
    withBody: fc.boolean(),
    wholeUri: fc.boolean(),
    label,
    order: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
    extra: fc.subarray(extras),
    odd: often([] as string[], fc.array(fc.constantFrom(...unusual), { minLength: 1, maxLength: 2 })),
    dropped: often(-1, fc.nat(6)),
    created: time(NOW_S),
    expires: time(NOW_S + 30),
    nonce,
    tag,
    alg: fc.oneof(
      { weight: 4, arbitrary: fc.constant('none') },
      { weight: 1, arbitrary: fc.constantFrom('own', '"other"', '1') },
    ),
    more: often(
      [],
      fc.constantFrom<Draft['params']>([['created', '1']], [['x', undefined]], [['X', '1']], [['*', '"a"']]),
    ),
    shuffle: fc.boolean(),
    host: often(AUTHORITY, fc.constantFrom('Broker.Internal', `${AUTHORITY}:443`, 'evil.example', `${AUTHORITY}:80`)),
  })
  .map((parts) => {
    const target = parts.wholeUri
      ? ['"@method"', '"@target-uri"']
      : ['"@method"', '"@authority"', '"@path"', '"@query"']
    const body = parts.withBody ? ['"content-digest"', '"content-type"'] : []
    const components = [...target, ...body, ...parts.extra, ...parts.odd].filter((_, i) => i !== parts.dropped)
    const alg = parts.alg === 'own' ? `"${parts.key.algorithm}"` : parts.alg === 'none' ? undefined : parts.alg
    const { created, expires, nonce, tag, more } = parts
    const list = [...params({ created, expires, nonce, tag, alg }, parts.key), ...more]
    return get({
      key: parts.key,
      method: parts.withBody && parts.method === 'GET' ? 'POST' : parts.method,
      target: `${parts.path}${parts.query}`,
      hosts: [parts.host],
      headers: parts.withBody ? [...fields, ...bodyFields] : fields,
      label: parts.label,
      components: parts.shuffle ? shuffled(components, parts.order) : components,
      params: parts.shuffle ? shuffled(list, parts.order.toReversed()) : list,
    })
  })

/** Edits of the two signature lines after signing, as a faulty or hostile client might make them. */
const edits = often<(text: string) => string>(
  (text) => text,
  fc.constantFrom(
    (text) => ` ${text} `,
    (text) => `${text},`,
    (text) => `${text};`,
    (text) => `${text}, ${text}`,
    (text) => text.replace(';', '; '),
    (text) => text.replace('" "', '"  "'),
    (text) => text.replace('=:', ': '),
    (text) => text.replace('=:', ':'),
    (text) => text.replace('(', '( '),
    (text) => text.toUpperCase(),
    (text) => text.slice(0, -1),
  ),
)

t.test(
  `each request that our verifier accepts is accepted by both others, with the identical base (${CASES} cases, seed ${SEED})`,
  async (t) => {
    let accepted = 0
    const property = fc.asyncProperty(drafts, edits, edits, async (draft, editInput, editSignature) => {
      const signed = sign({ ...draft, hosts: [AUTHORITY] })
      const lines = {
        'Signature-Input': editInput(signed['Signature-Input']),
        Signature: editSignature(signed.Signature),
      }
      const request = message(draft, Object.entries(lines))
      const result = verifyRequest(request, OPTIONS)
      if (result.kind !== 'verified') return
      accepted++
      agreesOnFields(request, result)
      await agreesOnSignature(request, result)
    })
    const details = await fc.check(property, { numRuns: CASES, seed: SEED })
    if (details.failed) t.fail(`AGREEMENT_SEED=${SEED}: ${fc.defaultReportMessage(details) ?? ''}`)
    t.comment(`${accepted} of ${CASES} accepted`)
    t.ok(accepted > CASES / 10 && accepted < CASES, `enough accepted and refused requests: ${accepted} accepted`)
  },
)

function agreesOnFields(request: RequestMessage, result: VerifiedRequest): void {
  const raw = (name: string) =>
    request.rawHeaders[request.rawHeaders.indexOf(name) + 1]?.replace(/^[ \t]+|[ \t]+$/g, '') as string
  const input = parseDictionary(raw('Signature-Input'))
  same(serializeDictionary(input), raw('Signature-Input'), 'Signature-Input is canonical')
  same(serializeDictionary(parseDictionary(raw('Signature'))), raw('Signature'), 'Signature is canonical')
  same(input.size, 1, 'one member')
  const [[components, parameters] = [[], new Map()]] = [...input.values()]
  same(
    (components as [string, unknown][]).map(([name]) => `"${name}"`),
    result.covered.map(([identifier]) => identifier),
    'components',
  )
  const { created, expires, nonce } = result
  const read = ['created', 'expires', 'nonce', 'keyid'].map((name) => parameters.get(name))
  same(read, [created, expires, nonce, result.key.keyId], 'parameters')
}

async function agreesOnSignature(
  { method, target, rawHeaders }: RequestMessage,
  result: VerifiedRequest,
): Promise<void> {
  const list: { name: string; value: string }[] = []
  for (let i = 0; i < rawHeaders.length; i += 2)
    list.push({ name: rawHeaders[i] as string, value: rawHeaders[i + 1] as string })
  const { algorithm } = result.key
  const ours = signatureBase(result.covered, result.signatureInput.slice(result.signatureInput.indexOf('=') + 1))
  let theirs = ''
  const verifier = {
    algorithm,
    verify(base: Uint8Array, signature: Uint8Array) {
      theirs = Buffer.from(base).toString('latin1')
      return signatureMatches(result.key, theirs, signature)
    },
  }
  await verifySignature(
    { kind: 'request', method, targetUri: `https://${AUTHORITY}${target}`, requestTarget: target, fields: list },
    {
      policy: {
        algorithms: [algorithm],
        requiredComponents: ['@method'],
        requiredParameters: ['created', 'expires', 'nonce', 'keyid', 'tag'],
        maxAge: 66,
        clockSkew: 5,
        now: NOW_S,
      },
      resolveVerifier: () => verifier,
    },
  )
  same(theirs, ours, 'base')
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [theirs, ours] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (theirs !== ours) throw new Error(`${what}: ${theirs}, ours ${ours}`)
}

function shuffled<T>(list: readonly T[], order: readonly number[]): T[] {
  const keyed = list.map((item, i) => ({ item, key: order[i % order.length] ?? 0 }))
  return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item)
}
