import t from 'tap'
import { signatureBase } from '../../src/signature/base.ts'
import type { BaseLine } from '../../src/signature/base.ts'
import { contentDigest } from '../../src/signature/content-digest.ts'
import { createSignature } from '../../src/signature/keys.ts'
import { responseKey, signRequest, signResponse, toMessage } from '../../src/signature/sign.ts'
import type { OutgoingRequest, OutgoingResponse } from '../../src/signature/sign.ts'
import { serializeSignatureParams } from '../../src/signature/structured-fields.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import type { VerifiedRequest } from '../../src/signature/verify.ts'
import { verifyResponse } from '../../src/signature/verify-response.ts'
import type { ResponseVerdict } from '../../src/signature/verify-response.ts'
import type { SigningKey } from '../../src/signature/keys.ts'
import { BODY, BROKER, BROKER_PUBLIC, ED25519, HMAC, NONCE, NOW, NOW_S, OPTIONS } from './support.ts'

const get: OutgoingRequest = { method: 'GET', url: 'https://broker.internal/tokens/42?min_ttl=300' }
const post: OutgoingRequest = {
  method: 'POST',
  url: 'https://broker.internal/tokens/42/refresh',
  headers: { 'content-type': 'application/json', 'content-length': String(BODY.length) },
  body: BODY,
}
const answer: OutgoingResponse = {
  status: 200,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: '{"user_id":"42"}',
}

// The expected values were computed with Python's hmac and with openssl.
t.test('the same nonce and time give the same signature, byte for byte', async (t) => {
  t.same(signRequest(post, HMAC, { now: NOW, nonce: NONCE }), {
    'content-digest': 'sha-256=:1I3RWixgSzi6ugTVR3spV8uwM8fYPw/vEihnGg4PF/4=:',
    'signature-input':
      'sig1=("@method" "@authority" "@path" "@query" "content-digest" "content-type");created=1795341600;expires=1795341630;' +
      'nonce="rX9v0p1yUO1Z3v0m8bq3Xw";keyid="megdocs-2026-11";tag="token-broker/1"',
    signature: 'sig1=:0aLvXST9Uudp5kw2/8atF5c5tbLnhSLe5qvyIPzm/Ms=:',
  })
  t.same(signRequest(get, ED25519, { now: NOW, nonce: NONCE, expiresInSeconds: 60 }), {
    'signature-input':
      'sig1=("@method" "@authority" "@path" "@query");created=1795341600;expires=1795341660;' +
      'nonce="rX9v0p1yUO1Z3v0m8bq3Xw";keyid="reports-2026-11";tag="token-broker/1"',
    signature: 'sig1=:GS5OXO1T9WStq4UzvnsrVqgAlfDKZRuzgsTxror+f7clOUxCBpvXsrDarasKiyyorsSbPWc6lf4VIPrFEEq2CA==:',
  })
})

t.test('the verifier accepts a signed request', async (t) => {
  for (const key of [HMAC, ED25519]) {
    for (const request of [
      get,
      post,
      { ...get, url: 'https://Broker.Internal:443' },
      { ...post, body: Buffer.from(BODY) },
    ]) {
      t.equal(sent(request, key).verified.key.keyId, key.keyId, `${request.method} ${request.url}`)
    }
  }
})

t.test('each signature has a new nonce', async (t) => {
  const nonces = Array.from({ length: 100 }, () => sent(get, HMAC).verified.nonce)
  t.equal(new Set(nonces).size, 100)
})

t.test('a request that cannot be sent exactly as signed is not signed', async (t) => {
  const options = { now: NOW }
  const urls = [
    '/tokens/42',
    'ftp://broker.internal/',
    'https://u:p@broker.internal/',
    'https://broker.internal/a#b',
    'https://broker.internal?a',
    'https://broker.internal/a b',
  ]
  for (const url of urls) t.throws(() => signRequest({ ...get, url }, HMAC, options), TypeError, url)
  t.throws(() => signRequest({ ...post, headers: {} }, HMAC, options), TypeError, 'a body without content-type')
  t.throws(
    () => signRequest({ ...get, headers: { Host: 'other.internal' } }, HMAC, options),
    TypeError,
    'a second Host',
  )
})

t.test(
  'the signature of an answer covers the status, the answer and everything that the request covered',
  async (t) => {
    const { verified } = sent(post, HMAC)
    const dated = { ...answer, headers: { ...answer.headers, date: 'Sun, 22 Nov 2026 10:00:00 GMT' } }
    const headers = signResponse(dated, verified, HMAC, { now: NOW })
    t.equal(
      headers['signature-input'],
      'sig1=("@status" "content-digest" "content-type" "cache-control" "date" "@method";req "@authority";req "@path";req ' +
        '"@query";req "content-digest";req "content-type";req "signature-input";req);created=1795341600;' +
        'keyid="megdocs-2026-11";tag="token-broker-response/1"',
    )
    t.equal(headers['content-digest'], contentDigest(answer.body))
  },
)

t.test(
  "the caller verifies an answer to its request: with its own key for HMAC, with the broker's for Ed25519",
  async (t) => {
    for (const [key, trusted] of [
      [HMAC, HMAC],
      [ED25519, BROKER_PUBLIC],
    ] as const) {
      for (const request of [get, post]) {
        const { request: asSent, verified } = sent(request, key)
        const signer = responseKey(verified, BROKER) as SigningKey
        t.same(received(answer, signed(answer, verified, signer), asSent, trusted), {
          kind: 'verified',
          created: NOW_S,
        })
        const empty = { status: 204, headers: {}, body: '' }
        t.same(
          received(empty, signed(empty, verified, signer), asSent, trusted),
          { kind: 'verified', created: NOW_S },
          '204',
        )
      }
    }
  },
)

t.test('an answer is not signed if the caller does not want it, or if the broker has no key for Ed25519', async (t) => {
  const { verified } = sent(get, HMAC)
  t.equal(responseKey({ ...verified, caller: { ...verified.caller, signResponses: false } }, BROKER), undefined)
  t.equal(responseKey(sent(get, ED25519).verified, undefined), undefined)
})

t.test('an answer to another request is refused', async (t) => {
  const { request, verified } = sent(get, HMAC)
  const headers = signed(answer, verified, HMAC)
  const again = sent(get, HMAC).request
  const foreign = sent({ ...get, url: 'https://broker.internal/tokens/43?min_ttl=300' }, HMAC).request
  const check = (change: Partial<OutgoingResponse>, over: Record<string, string | string[]> = {}, of = request) => {
    return detailOf(received({ ...answer, ...change }, { ...headers, ...over }, of, HMAC))
  }
  t.equal(check({}), 'verified')
  t.equal(check({}, {}, foreign), 'wrong_signature', "the answer to another user's request")
  t.equal(check({}, {}, again), 'wrong_signature', 'the answer to an earlier request for the same')
  t.equal(check({ status: 201 }), 'wrong_signature', 'status')
  t.equal(check({ body: '{"user_id":"43"}' }), 'digest_mismatch', 'body')
  t.equal(check({}, { 'content-type': 'text/html' }), 'wrong_signature', 'content-type')
  t.equal(check({}, { 'cache-control': 'public' }), 'wrong_signature', 'cache-control')
  t.equal(check({}, { 'content-digest': contentDigest('x') }), 'wrong_signature', 'digest')
  const { 'signature-input': input = '', signature = '' } = request.headers ?? {}
  t.equal(check({}, { 'signature-input': input, signature }), 'parameter_invalid', 'my own signature sent back')
  t.equal(check({}, { signature: [signature, signature] }), 'malformed_signature', 'two signatures')
  t.equal(detailOf(received(answer, {}, request, HMAC)), 'unsigned')
  t.equal(detailOf(received(answer, headers, request, { ...HMAC, keyId: 'other' })), 'wrong_key')
  const otherKind = { ...BROKER_PUBLIC, keyId: HMAC.keyId }
  t.equal(detailOf(received(answer, headers, request, otherKind)), 'wrong_signature', 'a key of the other algorithm')
})

t.test('an answer that covers too little is refused although its signature is correct', async (t) => {
  const { request, verified } = sent(get, HMAC)
  const lacking = (change: Partial<VerifiedRequest>, response: OutgoingResponse = answer) => {
    return detailOf(received(answer, signed(response, { ...verified, ...change }, HMAC), request, HMAC))
  }
  t.equal(lacking({ covered: verified.covered.slice(0, 3) }), 'component_missing', 'not the whole target')
  t.equal(lacking({}, { ...answer, headers: {} }), 'component_missing', 'not its content-type')
  t.equal(lacking({ covered: [...verified.covered, ['"@foo"', 'x']] }), 'component_unresolvable')
  t.equal(lacking({ covered: [...verified.covered, ['"accept";sf', 'x']] }), 'component_not_allowed')
  t.equal(lacking({ covered: [...verified.covered, ['"@path"', '/tokens/42']] }), 'component_not_allowed', 'twice')
})

t.test(
  'an answer without the tag of answers, or not bound to the nonce, is refused although its signature is correct',
  async (t) => {
    const { request, verified } = sent(get, HMAC)
    const own: BaseLine[] = [
      ['"@status"', '200'],
      ['"content-digest"', contentDigest(answer.body)],
      ['"content-type"', 'application/json'],
    ]
    const target = verified.covered.map(([identifier, value]): BaseLine => [`${identifier};req`, value])
    const bound: BaseLine = ['"signature-input";req', verified.signatureInput]
    const handmade = (lines: BaseLine[], parameters: Record<string, string | number> = {}) => {
      const all = { created: NOW_S, keyid: HMAC.keyId, tag: 'token-broker-response/1', ...parameters }
      const params = serializeSignatureParams(
        lines.map(([identifier]) => identifier),
        all,
      )
      const signature = createSignature(HMAC, signatureBase(lines, params))
      const headers = {
        'content-digest': contentDigest(answer.body),
        'signature-input': `a=${params}`,
        signature: `a=:${signature}:`,
      }
      return detailOf(received(answer, headers, request, HMAC))
    }
    t.equal(handmade([...own, ...target, bound]), 'verified')
    t.equal(handmade([...own, ...target]), 'component_missing')
    t.equal(handmade([...own, bound]), 'component_missing')
    t.equal(handmade([...own.slice(1), ...target, bound]), 'component_missing')
    t.equal(handmade([...own, ...target, bound], { tag: 'token-broker/1' }), 'wrong_tag')
    t.equal(handmade([...own, ...target, bound], { expires: NOW_S + 60 }), 'parameter_invalid')
    t.equal(handmade([...own, ...target, bound], { created: 'now' }), 'parameter_invalid')
  },
)

t.test("an answer from a broker with another clock is refused with that clock's time", async (t) => {
  const { request, verified } = sent(get, HMAC)
  const headers = { ...answer.headers, ...signResponse(answer, verified, HMAC, { now: NOW }) }
  const at = (now: number) =>
    verifyResponse({ ...answer, headers, body: Buffer.from(answer.body) }, request, HMAC, { now })
  for (const ms of [-60_000, 60_000]) t.same(at(NOW + ms), { kind: 'verified', created: NOW_S })
  for (const ms of [-60_001, 60_001]) t.same(at(NOW + ms), { kind: 'refused', detail: 'clock_skew', created: NOW_S })
})

t.test('no bit of the signature of an answer can be changed', async (t) => {
  const { request, verified } = sent(get, HMAC)
  const headers = signed(answer, verified, HMAC)
  const bytes = Buffer.from(headers['signature']?.slice(6, -1) as string, 'base64')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    const verdict = received(answer, { ...headers, signature: `sig1=:${flipped.toString('base64')}:` }, request, HMAC)
    if (detailOf(verdict) !== 'wrong_signature') return t.fail(`bit ${bit}`)
  }
})

function sent(request: OutgoingRequest, key: SigningKey): { request: OutgoingRequest; verified: VerifiedRequest } {
  const asSent = { ...request, headers: { ...request.headers, ...signRequest(request, key, { now: NOW }) } }
  const verified = verifyRequest(toMessage(asSent), OPTIONS)
  if (verified.kind !== 'verified') throw new Error(verified.detail)
  return { request: asSent, verified }
}

function signed(response: OutgoingResponse, request: VerifiedRequest, key: SigningKey): Record<string, string> {
  return signResponse(response, request, key, { now: NOW })
}

function received(
  response: OutgoingResponse,
  headers: Record<string, string | string[]>,
  request: OutgoingRequest,
  key: SigningKey,
): ResponseVerdict {
  const body = Buffer.from(response.body)
  return verifyResponse({ status: response.status, headers: { ...response.headers, ...headers }, body }, request, key, {
    now: NOW,
  })
}

function detailOf(verdict: ResponseVerdict): string {
  return verdict.kind === 'verified' ? 'verified' : verdict.detail
}
