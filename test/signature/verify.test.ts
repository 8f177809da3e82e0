import { hash } from 'node:crypto'
import t from 'tap'
import { parseCallers } from '../../src/signature/callers.ts'
import { contentDigest, verifyBody } from '../../src/signature/content-digest.ts'
import { MAX_TARGET } from '../../src/signature/profile.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import { BODY, CALLERS_FILE, ED25519, get, HMAC, message, NONCE, NOW, NOW_S, OPTIONS } from './support.ts'
import { params, post, sign, verdict } from './support.ts'

t.test('a signed GET is verified, with its caller and the covered components', async (t) => {
  for (const key of [HMAC, ED25519]) {
    const draft = get({ key })
    const result = verifyRequest(message(draft), OPTIONS)
    if (result.kind !== 'verified') return t.fail(result.detail)
    t.match(result, {
      nonce: NONCE,
      created: NOW_S,
      expires: NOW_S + 30,
      signatureInput: sign(draft)['Signature-Input'],
    })
    t.equal(result.key.keyId, key.keyId)
    t.equal(result.caller, OPTIONS.callers.byKeyId.get(key.keyId)?.caller)
    t.same(result.covered, [
      ['"@method"', 'GET'],
      ['"@authority"', 'broker.internal'],
      ['"@path"', '/tokens/42'],
      ['"@query"', '?min_ttl=300'],
    ])
  }
})

t.test('a signed POST is verified, and its body is accepted only if it was signed', async (t) => {
  const result = verifyRequest(message(post()), OPTIONS)
  if (result.kind !== 'verified') return t.fail(result.detail)
  t.equal(verifyBody(result.covered, Buffer.from(BODY)), 'matches')
  t.equal(verifyBody(result.covered, Buffer.from(BODY.replace('7', '8'))), 'digest_mismatch')
  t.equal(verifyBody(result.covered, Buffer.alloc(0)), 'digest_mismatch', 'a body taken away')
})

t.test('a body that was added to a request without one does not match', async (t) => {
  const result = verifyRequest(message(get()), OPTIONS)
  if (result.kind !== 'verified') return t.fail(result.detail)
  t.equal(verifyBody(result.covered, Buffer.alloc(0)), 'matches')
  t.equal(verifyBody(result.covered, Buffer.from('x')), 'digest_missing')
})

t.test('all variants that the profile allows are accepted', async (t) => {
  const typed: [string, string] = ['Content-Type', 'application/json']
  const chunked: [string, string] = ['Transfer-Encoding', 'chunked']
  const open = {
    '@target-uri instead of authority, path and query': get({ components: ['"@method"', '"@target-uri"'] }),
    'components in another order': get({ components: ['"@query"', '"@path"', '"@method"', '"@authority"'] }),
    'a further covered field': get({ components: [...get().components, '"accept"'] }),
    'a second question mark in the query': get({ target: '/tokens/42?a?b=c' }),
    'any label': get({ label: '*x-9.z_' }),
    'parameters in another order': get({ params: params().toReversed() }),
    'alg that agrees': get({ params: [...params(), ['alg', '"hmac-sha256"']] }),
    'a nonce of 64 characters': get({ params: params({ nonce: `"${'n'.repeat(64)}"` }) }),
    'Host in capitals and with the default port': get({ hosts: ['Broker.Internal:443'] }),
    'a DELETE with a length of zero': get({ method: 'DELETE', headers: [['Content-Length', '0']] }),
    'a POST without a body': get({ method: 'POST', headers: [['Content-Length', '0']] }),
    'a POST with the digest of its empty body': post({ headers: [typed, ['Content-Digest', contentDigest('')]] }),
    'a chunked POST': post({ headers: [...post().headers.filter(([name]) => name !== 'Content-Length'), chunked] }),
  }
  for (const [name, draft] of Object.entries(open)) {
    const signed = Object.entries(sign({ ...draft, hosts: ['broker.internal'] }))
    t.equal(verdict(message(draft, signed)), 'verified', name)
  }
})

t.test('@target-uri has the configured scheme', async (t) => {
  const draft = get({ components: ['"@method"', '"@target-uri"'] })
  t.equal(verdict({ ...message(draft), scheme: 'http' }), 'wrong_signature')
})

t.test('freshness is exact to the millisecond, with 5 s of skew on both sides', async (t) => {
  const request = message(get({ params: params({ created: `${NOW_S}`, expires: `${NOW_S + 60}` }) }))
  const at = (ms: number) => verdict(request, { ...OPTIONS, now: NOW + ms })
  t.equal(at(-5_001), 'created_in_future')
  t.equal(at(-5_000), 'verified')
  t.equal(at(64_999), 'verified')
  t.equal(at(65_000), 'expired')
})

t.test('only a correctly signed request is refused with clock_skew, and its answer can be signed', async (t) => {
  const late = { ...OPTIONS, now: NOW + 3_600_000 }
  const result = verifyRequest(message(get()), late)
  if (result.kind !== 'refused' || result.code !== 'clock_skew') return t.fail('expected clock_skew')
  t.equal(result.detail, 'expired')
  t.equal(result.caller.name, 'megdocs')
  t.equal(result.request.key.keyId, HMAC.keyId)
  const forged = verifyRequest(message(get(), undefined, { target: '/tokens/43?min_ttl=300' }), late)
  t.same(forged, { kind: 'refused', code: 'invalid_signature', detail: 'wrong_signature', keyId: HMAC.keyId })
  const unknown = get({ params: params({ keyid: '"nobody"' }) })
  t.same(verifyRequest(message(unknown), late), {
    kind: 'refused',
    code: 'invalid_signature',
    detail: 'unknown_key',
    keyId: 'nobody',
  })
})

t.test(
  'a key is valid from not_before until just before not_after; otherwise it is refused like an unknown one',
  async (t) => {
    const at = (instant: string) => {
      const now = Date.parse(instant)
      const created = Math.floor(now / 1000)
      const draft = get({ params: params({ created: `${created}`, expires: `${created + 30}` }) })
      return verifyRequest(message(draft), { ...OPTIONS, now })
    }
    t.match(at('2026-10-31T23:59:59.999Z'), { code: 'invalid_signature', detail: 'key_not_valid_now' })
    t.equal(at('2026-11-01T00:00:00.000Z').kind, 'verified')
    t.equal(at('2027-04-30T23:59:59.999Z').kind, 'verified')
    t.match(at('2027-05-01T00:00:00.000Z'), { code: 'invalid_signature', detail: 'key_not_valid_now' })
  },
)

t.test('a method is capital letters only, and a target may have exactly its greatest length', async (t) => {
  for (const method of ['xGET', 'GETx', '1GET']) t.equal(verdict(message(get({ method }))), 'bad_method', method)
  t.equal(verdict(message(get({ target: `/${'a'.repeat(MAX_TARGET - 1)}` }))), 'verified')
  t.equal(verdict(message(get({ target: `/${'a'.repeat(MAX_TARGET)}` }))), 'bad_target')
})

t.test('a wrong signature says nothing about the validity of the key', async (t) => {
  const now = Date.parse('2027-06-01T00:00:00Z')
  const created = now / 1000
  const draft = get({ params: params({ created: `${created}`, expires: `${created + 30}` }) })
  const options = { ...OPTIONS, now }
  t.equal(verdict(message(draft), options), 'key_not_valid_now')
  t.equal(verdict(message(draft, undefined, { target: '/tokens/43' }), options), 'wrong_signature')
})

t.test('a Content-Length of more than 15 digits is refused: it is no safe integer', async (t) => {
  const withLength = (length: string) =>
    verdict(
      message(
        post({ headers: post().headers.map(([name, value]) => [name, name === 'Content-Length' ? length : value]) }),
      ),
    )
  t.equal(withLength('9'.repeat(15)), 'verified')
  t.equal(withLength('9'.repeat(16)), 'ambiguous_length')
})

t.test('a refusal names the presented key from the moment that its parameters are read', async (t) => {
  const refusals: [draft: Parameters<typeof message>[0], detail: string, keyId: string | undefined][] = [
    [get({ params: params({ tag: '"another"' }) }), 'wrong_tag', undefined],
    [get({ components: [...get().components, '"signature"'] }), 'component_not_allowed', HMAC.keyId],
    [get({ components: ['"@method"'] }), 'component_missing', HMAC.keyId],
    [
      get({ components: [...get().components, '"content-digest"'], headers: [['Content-Digest', contentDigest('x')]] }),
      'body_missing',
      HMAC.keyId,
    ],
    [get({ params: params({ keyid: '"nobody"' }) }), 'unknown_key', 'nobody'],
  ]
  for (const [draft, detail, keyId] of refusals)
    t.strictSame(verifyRequest(message(draft), OPTIONS), {
      kind: 'refused',
      code: 'invalid_signature',
      detail,
      ...(keyId === undefined ? {} : { keyId }),
    })
})

t.test('during a rotation both keys of a caller are valid', async (t) => {
  const [megdocs] = CALLERS_FILE.callers
  const other = { ...megdocs?.keys[0], key_id: 'megdocs-2027-02', secret: hash('sha256', 'the next key', 'base64url') }
  const callers = parseCallers(
    JSON.stringify({ callers: [{ ...megdocs, keys: [...(megdocs?.keys ?? []), other] }] }),
    NOW,
  )
  const second = { keyId: other.key_id, algorithm: 'hmac-sha256', key: callers.list[0]?.keys[1]?.key } as typeof HMAC
  for (const key of [HMAC, second])
    t.equal(verdict(message(get({ key })), { ...OPTIONS, callers }), 'verified', key.keyId)
})
