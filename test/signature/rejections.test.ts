// The reject list of the profile (docs/security.md#reject-list), one line for each case. Unless a line says otherwise,
// the signature over the presented message is correct, so the policy must refuse it. The last column is the detail in
// the log.
import t from 'tap'
import { createHmac, createSecretKey } from 'node:crypto'
import { parseCallers } from '../../src/signature/callers.ts'
import { contentDigest } from '../../src/signature/content-digest.ts'
import { signResponse } from '../../src/signature/sign.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import type { RequestMessage } from '../../src/signature/base.ts'
import { AUTHORITY, BODY, CALLERS_FILE, ED25519, HMAC, NOW, NOW_S, OPTIONS, RFC_PUBLIC } from './support.ts'
import { describe, get, message, params, post, sign, verdict } from './support.ts'
import type { Draft } from './support.ts'

type Probe = readonly [name: string, request: RequestMessage, detail: string]

const target = get().components
const good = sign(get())
const input = good['Signature-Input']
const signature = good.Signature
const components = (...list: string[]) => message(get({ components: list }))
const param = (overrides: Record<string, string | undefined>) => message(get({ params: params(overrides) }))
/** Signed as GET /tokens/42?min_ttl=300, then changed. */
const altered = (after: Partial<Draft>) => message(get(), undefined, after)
/** A message with this text of the member, and a correct signature over it and the usual components. */
function member(text: string, draft: Draft = get()): RequestMessage {
  const base = describe(draft).base.replace(/"@signature-params": .*$/, `"@signature-params": ${text}`)
  const mac = createHmac('sha256', HMAC.key).update(base).digest('base64')
  return message(draft, [
    ['Signature-Input', `sig1=${text}`],
    ['Signature', `sig1=:${mac}:`],
  ])
}
const lines: [string, string][] = [
  ['Signature-Input', input],
  ['Signature', signature],
]
const usual = describe(get()).value
const fields = (...lines: [string, string][]) => message(get(), lines)
const both = (first: string, last: string) => fields(['Signature-Input', first], ['Signature', last])
const withInput = (text: string) => fields(['Signature-Input', text], ['Signature', signature])
const withSignature = (text: string) => fields(['Signature-Input', input], ['Signature', text])
const bytes = Buffer.from(/:(.*):/.exec(signature)?.[1] ?? '', 'base64')
const body = (...headers: [string, string][]) => post({ headers })
const second = signature.replace('sig1', 'sig2')
const signed = (...of: Uint8Array[]) => withSignature(`sig1=:${Buffer.concat(of).toString('base64')}:`)
const accepting = (...headers: [string, string][]) => message(get({ components: [...target, '"accept"'], headers }))
const typed: [string, string] = ['Content-Type', 'application/json']
const sized: [string, string] = ['Content-Length', '19']
const digested: [string, string] = ['Content-Digest', contentDigest(BODY)]

const probes: Record<string, readonly Probe[]> = {
  'presence and number of signatures': [
    ['no signature at all', fields(), 'missing_signature'],
    ['Signature-Input alone', fields(['Signature-Input', input]), 'missing_signature'],
    ['Signature alone', fields(['Signature', signature]), 'missing_signature'],
    ['label in one field only', withSignature(signature.replace('sig1', 'sig2')), 'label_mismatch'],
    ['two labels', both(`${input}, sig2=${usual}`, `${signature}, ${second}`), 'several_signatures'],
    ['two labels in Signature only', withSignature(`${signature}, ${second}`), 'several_signatures'],
    ['duplicate label in one line', both(`${input}, ${input}`, `${signature}, ${signature}`), 'several_signatures'],
    ['two Signature-Input lines', fields(...lines, ['signature-input', input]), 'repeated_signature_field'],
    ['two Signature lines', fields(...lines, ['signature', signature]), 'repeated_signature_field'],
    [
      'a Signature-Input of more than 1024 characters',
      member(`${usual};x="${'x'.repeat(1024)}"`),
      'signature_field_too_long',
    ],
    [
      'a Signature of more than 1024 characters',
      withSignature(`sig1=:${'A'.repeat(1024)}:`),
      'signature_field_too_long',
    ],
  ],
  components: [
    ['duplicate component', components(...target, '"@method"'), 'component_repeated'],
    ['duplicate field', components(...target, '"accept"', '"accept"'), 'component_repeated'],
    [
      'same component with reordered parameters',
      components(...target, '"accept";sf;bs', '"accept";bs;sf'),
      'component_not_allowed',
    ],
    ['unknown derived component', components(...target, '"@foo"'), 'component_not_allowed'],
    ['unknown component parameter', components(...target, '"accept";foo'), 'component_not_allowed'],
    [';sf', components(...target, '"accept";sf'), 'component_not_allowed'],
    [';bs', components(...target, '"accept";bs'), 'component_not_allowed'],
    [';tr', components(...target, '"accept";tr'), 'component_not_allowed'],
    [';key', components(...target, '"accept";key="a"'), 'component_not_allowed'],
    ['@query-param', components(...target, '"@query-param";name="min_ttl"'), 'component_not_allowed'],
    ['@request-target', components(...target, '"@request-target"'), 'component_not_allowed'],
    ['@scheme', components(...target, '"@scheme"'), 'component_not_allowed'],
    ['upper-case field name', components(...target, '"Accept"'), 'component_not_allowed'],
    ['upper-case derived name', components('"@Method"', ...target.slice(1)), 'component_not_allowed'],
    ['@signature-params covered', components(...target, '"@signature-params"'), 'component_not_allowed'],
    ['@status on a request', components(...target, '"@status"'), 'component_not_allowed'],
    [';req on a request', components(...target, '"@method";req'), 'component_not_allowed'],
    ['signature-input covers itself', components(...target, '"signature-input"'), 'component_not_allowed'],
    ['signature covered', components(...target, '"signature"'), 'component_not_allowed'],
    ['empty list', components(), 'component_missing'],
    ['@method not covered', components(...target.slice(1)), 'component_missing'],
    ['@authority not covered', components('"@method"', '"@path"', '"@query"'), 'component_missing'],
    ['@query not covered', components('"@method"', '"@authority"', '"@path"'), 'component_missing'],
    ['@target-uri without @method', components('"@target-uri"'), 'component_missing'],
    ['covered field that is not there', components(...target, '"x-none"'), 'component_unresolvable'],
    ['covered field on two lines', accepting(['Accept', 'a'], ['Accept', 'b']), 'component_unresolvable'],
    ['covered field with a byte above 0x7E', accepting(['Accept', 'é']), 'component_unresolvable'],
    ['covered field with a line feed', accepting(['Accept', 'a\n"x": b']), 'component_unresolvable'],
    [
      'a header called @foo in place of a component',
      message(get({ components: [...target, '"@foo"'], headers: [['@foo', 'a']] })),
      'component_not_allowed',
    ],
  ],
  'text that is not canonical': [
    ['two spaces', member(usual.replace('" "', '"  "')), 'malformed_signature_input'],
    ['space after the bracket', member(usual.replace('(', '( ')), 'malformed_signature_input'],
    ['space before the bracket', member(usual.replace(')', ' )')), 'malformed_signature_input'],
    ['space after a semicolon', member(usual.replace(';', '; ')), 'malformed_signature_input'],
    ['space before a semicolon', member(usual.replace(';', ' ;')), 'malformed_signature_input'],
    ['no space between items', member(usual.replace('" "', '""')), 'malformed_signature_input'],
    ['tab', member(usual.replace('" "', '"\t"')), 'malformed_signature_input'],
    ['trailing comma', member(`${usual},`), 'several_signatures'],
    ['trailing semicolon', member(`${usual};`), 'malformed_signature_input'],
    ['unclosed quote', member(usual.slice(0, -1)), 'malformed_signature_input'],
    ['unclosed list', member(usual.replace(')', '')), 'malformed_signature_input'],
    ['escaped quote', member(usual.replace('"token-broker/1"', '"token-broker/1\\""')), 'malformed_signature_input'],
    ['escaped character', member(usual.replace('"token-broker/1"', '"token\\-broker/1"')), 'malformed_signature_input'],
    ['byte above 0x7E', member(usual.replace('token-broker', 'tokén-broker')), 'malformed_signature_input'],
    ['a label in capitals', both(`Sig1=${usual}`, signature.replace('s', 'S')), 'malformed_signature_input'],
    ['something that is not an inner list', withInput('sig1=1'), 'malformed_signature_input'],
    ['tokens as components', withInput('sig1=(method);created=1'), 'malformed_signature_input'],
    ['parameter in capitals', member(usual.replace('created', 'Created')), 'malformed_signature_input'],
    ['duplicate parameter', member(`${usual};created=${NOW_S}`), 'malformed_signature_input'],
  ],
  parameters: [
    ['created: 16 digits', param({ created: '1795341600000000' }), 'malformed_signature_input'],
    ['created: negative', param({ created: '-1' }), 'malformed_signature_input'],
    ['created: leading zero', param({ created: `0${NOW_S}` }), 'malformed_signature_input'],
    ['created: decimal', param({ created: `${NOW_S}.0` }), 'malformed_signature_input'],
    ['created: date', param({ created: `@${NOW_S}` }), 'malformed_signature_input'],
    ['created: display string', param({ created: '%"1"' }), 'malformed_signature_input'],
    ['created: byte sequence', param({ created: ':AAAA:' }), 'malformed_signature_input'],
    ['created: token', param({ created: 'now' }), 'malformed_signature_input'],
    ['created: boolean', param({ created: '?1' }), 'malformed_signature_input'],
    ['created: string', param({ created: `"${NOW_S}"` }), 'parameter_invalid'],
    ['created: bare key', member(usual.replace(`created=${NOW_S}`, 'created')), 'parameter_invalid'],
    ['expires: string', param({ expires: `"${NOW_S + 30}"` }), 'parameter_invalid'],
    ['no created', param({ created: undefined }), 'parameter_missing'],
    ['no expires', param({ expires: undefined }), 'parameter_missing'],
    ['no nonce', param({ nonce: undefined }), 'parameter_missing'],
    ['no keyid', param({ keyid: undefined }), 'parameter_missing'],
    ['no tag', param({ tag: undefined }), 'parameter_missing'],
    ['wrong tag', param({ tag: '"token-broker/2"' }), 'wrong_tag'],
    ['tag in capitals', param({ tag: '"Token-Broker/1"' }), 'wrong_tag'],
    ['tag: number', param({ tag: '1' }), 'wrong_tag'],
    ['unknown parameter', param({ scope: '"all"' }), 'parameter_not_allowed'],
    ['alg of the other algorithm', param({ alg: '"ed25519"' }), 'algorithm_mismatch'],
    ['unknown alg', param({ alg: '"none"' }), 'algorithm_mismatch'],
    ['alg: number', param({ alg: '1' }), 'algorithm_mismatch'],
    ['expires equal to created', param({ expires: `${NOW_S}` }), 'lifetime_too_long'],
    ['expires before created', param({ expires: `${NOW_S - 1}` }), 'lifetime_too_long'],
    ['lifetime of 61 s', param({ expires: `${NOW_S + 61}` }), 'lifetime_too_long'],
    ['nonce of 21 characters', param({ nonce: `"${'n'.repeat(21)}"` }), 'parameter_invalid'],
    ['nonce of 65 characters', param({ nonce: `"${'n'.repeat(65)}"` }), 'parameter_invalid'],
    ['nonce with a character outside base64url', param({ nonce: `"${'n'.repeat(22)}+"` }), 'parameter_invalid'],
    ['nonce: number', param({ nonce: '1234567890' }), 'parameter_invalid'],
    ['empty keyid', param({ keyid: '""' }), 'parameter_invalid'],
    ['keyid with a space', param({ keyid: '"a b"' }), 'parameter_invalid'],
    ['keyid of 65 characters', param({ keyid: `"${'k'.repeat(65)}"` }), 'parameter_invalid'],
    ['keyid: number', param({ keyid: '1' }), 'parameter_invalid'],
    ['keyid __proto__', param({ keyid: '"__proto__"' }), 'unknown_key'],
    ['keyid constructor', param({ keyid: '"constructor"' }), 'unknown_key'],
    ['unknown keyid', param({ keyid: '"nobody"' }), 'unknown_key'],
    ['keyid in capitals', param({ keyid: `"${HMAC.keyId.toUpperCase()}"` }), 'unknown_key'],
    ['created too far ahead', param({ created: `${NOW_S + 6}`, expires: `${NOW_S + 30}` }), 'created_in_future'],
    ['expired', param({ created: `${NOW_S - 65}`, expires: `${NOW_S - 5}` }), 'expired'],
  ],
  'signature bytes': [
    ['truncated', signed(bytes.subarray(0, 31)), 'malformed_signature'],
    ['empty', withSignature('sig1=::'), 'malformed_signature'],
    ['one byte too long', signed(bytes, bytes.subarray(0, 1)), 'malformed_signature'],
    ['of a length no algorithm has (a DER ECDSA signature)', signed(Buffer.alloc(70, 0x30)), 'malformed_signature'],
    ['padded to the length of Ed25519', signed(bytes, bytes), 'algorithm_mismatch'],
    ['url-safe base64', withSignature(signature.replace(/:./, ':_')), 'malformed_signature'],
    ['base64 without padding', withSignature(signature.replace('=:', ':')), 'malformed_signature'],
    ['base64 with spare bits set', withSignature(spareBits(signature)), 'malformed_signature'],
    ['with a parameter', withSignature(`${signature};a`), 'malformed_signature'],
    ['as a string', withSignature(`sig1="${bytes.toString('base64')}"`), 'malformed_signature'],
    ['in an inner list', withSignature(`sig1=(:${bytes.toString('base64')}:)`), 'malformed_signature'],
    ['trailing comma', withSignature(`${signature},`), 'several_signatures'],
  ],
  'what was signed is not what was sent': [
    ['method', altered({ method: 'DELETE' }), 'wrong_signature'],
    [
      'method, beside a header called @method',
      altered({ method: 'DELETE', headers: [['@method', 'GET']] }),
      'wrong_signature',
    ],
    ['method in lower case', altered({ method: 'get' }), 'bad_method'],
    ['a lower-case method, signed so', message(get({ method: 'get' })), 'bad_method'],
    ['another authority of the broker', altered({ hosts: ['other.internal'] }), 'wrong_signature'],
    ['an authority that is not ours', message(get({ hosts: ['evil.example'] })), 'unknown_authority'],
    ['a port that is not ours', message(get({ hosts: [`${AUTHORITY}:8443`] })), 'unknown_authority'],
    ['the default port of the other scheme', message(get({ hosts: [`${AUTHORITY}:80`] })), 'unknown_authority'],
    ['two Host lines', message(get({ hosts: [AUTHORITY, AUTHORITY] })), 'unknown_authority'],
    ['two Host lines, ours first', message(get({ hosts: [AUTHORITY, 'evil.example'] })), 'unknown_authority'],
    ['no Host line', message(get({ hosts: [] })), 'unknown_authority'],
    ['user id', altered({ target: '/tokens/43?min_ttl=300' }), 'wrong_signature'],
    ['query', altered({ target: '/tokens/42?min_ttl=301' }), 'wrong_signature'],
    ['query taken away', altered({ target: '/tokens/42' }), 'wrong_signature'],
    ['query added to', altered({ target: '/tokens/42?min_ttl=300&x' }), 'wrong_signature'],
    [
      'dot segments that fold to the signed path',
      altered({ target: '/tokens/x/../42?min_ttl=300' }),
      'wrong_signature',
    ],
    ['a dot segment', altered({ target: '/tokens/./42?min_ttl=300' }), 'wrong_signature'],
    ['//', altered({ target: '/tokens//42?min_ttl=300' }), 'wrong_signature'],
    ['%2F', altered({ target: '/tokens%2F42?min_ttl=300' }), 'wrong_signature'],
    ['percent-encoded user id', altered({ target: '/tokens/%34%32?min_ttl=300' }), 'wrong_signature'],
    [';x', altered({ target: '/tokens/42;x?min_ttl=300' }), 'wrong_signature'],
    ['trailing slash', altered({ target: '/tokens/42/?min_ttl=300' }), 'wrong_signature'],
    ['question mark moved', altered({ target: '/tokens?/42min_ttl=300' }), 'wrong_signature'],
    ['bare trailing ?, which has the same base as none', message(get({ target: '/tokens/42?' })), 'bad_target'],
    ['absolute form', message(get({ target: `https://${AUTHORITY}/tokens/42` })), 'bad_target'],
    ['asterisk form', message(get({ target: '*' })), 'bad_target'],
    ['empty target', message(get({ target: '' })), 'bad_target'],
    ['fragment', message(get({ target: '/tokens/42#x' })), 'bad_target'],
    ['space in the target', message(get({ target: '/tokens/42 x' })), 'bad_target'],
    ['line feed in the target', message(get({ target: '/tokens/42\n"@query": ?x' })), 'bad_target'],
    ['byte above 0x7E in the target', message(get({ target: '/tokens/é' })), 'bad_target'],
    ['a target of more than 2048 characters', message(get({ target: `/${'a'.repeat(2048)}` })), 'bad_target'],
    [
      'content-type',
      message(post(), undefined, { headers: [['Content-Type', 'text/plain'], sized, digested] }),
      'wrong_signature',
    ],
    [
      'content-digest',
      message(post(), undefined, { headers: [typed, sized, ['Content-Digest', contentDigest('x')]] }),
      'wrong_signature',
    ],
  ],
  bodies: [
    ['body on GET', message(get({ headers: [sized] })), 'unexpected_body'],
    ['body on DELETE', message(get({ method: 'DELETE', headers: [sized] })), 'unexpected_body'],
    ['body on PUT', message(post({ method: 'PUT' })), 'unexpected_body'],
    ['Transfer-Encoding on GET', message(get({ headers: [['Transfer-Encoding', 'chunked']] })), 'unexpected_body'],
    [
      'Transfer-Encoding with Content-Length',
      message(body(typed, sized, digested, ['Transfer-Encoding', 'chunked'])),
      'ambiguous_length',
    ],
    ['two Content-Length lines', message(body(typed, sized, sized, digested)), 'ambiguous_length'],
    [
      'a Content-Length that is not a number',
      message(body(typed, ['Content-Length', '0x13'], digested)),
      'ambiguous_length',
    ],
    ['a negative Content-Length', message(body(typed, ['Content-Length', '-1'], digested)), 'ambiguous_length'],
    ['Content-Encoding', message(body(typed, sized, digested, ['Content-Encoding', 'gzip'])), 'content_encoding'],
    ['a signed body taken away', message(post(), undefined, { headers: [typed, digested] }), 'body_missing'],
    [
      'a signed body cut to nothing',
      message(post(), undefined, { headers: [typed, digested, ['Content-Length', '0']] }),
      'body_missing',
    ],
    ['digest absent', message(body(typed, sized)), 'component_unresolvable'],
    ['digest not covered', message(post({ components: [...target, '"content-type"'] })), 'component_missing'],
    ['content-type not covered', message(post({ components: [...target, '"content-digest"'] })), 'component_missing'],
    ['two digest lines', message(body(typed, sized, digested, digested)), 'component_unresolvable'],
  ],
}

for (const [group, list] of Object.entries(probes)) {
  t.test(group, async (t) => {
    for (const [name, request, detail] of list) t.equal(verdict(request, other(request)), detail, `refused: ${name}`)
  })
}

t.test('all refusals except clock_skew look the same', async (t) => {
  for (const [name, request, detail] of Object.values(probes).flat()) {
    const result = verifyRequest(request, other(request))
    if (result.kind !== 'refused') return t.fail(name)
    const skew = detail === 'created_in_future' || detail === 'expired'
    t.equal(result.code, skew ? 'clock_skew' : 'invalid_signature', name)
  }
})

t.test('an HMAC made with an Ed25519 public key as its secret is refused', async (t) => {
  const spki = createSecretKey(Buffer.from(RFC_PUBLIC, 'base64url'))
  const draft = get({ key: { keyId: ED25519.keyId, algorithm: 'hmac-sha256', key: spki } })
  t.equal(verdict(message(draft)), 'algorithm_mismatch')
  t.equal(verdict(message({ ...draft, params: [...draft.params, ['alg', '"hmac-sha256"']] })), 'algorithm_mismatch')
})

t.test('no bit of a signature can be changed, for both algorithms', async (t) => {
  for (const key of [HMAC, ED25519]) {
    const signed = sign(get({ key }))
    const original = Buffer.from(/:(.*):/.exec(signed.Signature)?.[1] ?? '', 'base64')
    for (let bit = 0; bit < original.length * 8; bit++) {
      const flipped = Buffer.from(original)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      const request = message(
        get({ key }),
        Object.entries({ ...signed, Signature: `sig1=:${flipped.toString('base64')}:` }),
      )
      if (verdict(request) !== 'wrong_signature') return t.fail(`${key.algorithm}, bit ${bit}`)
    }
  }
})

t.test('an expired key is refused although its signature is correct', async (t) => {
  const [megdocs] = CALLERS_FILE.callers
  const keys = megdocs?.keys.map((key) => ({ ...key, not_after: '2026-11-22T10:00:00Z' }))
  const callers = parseCallers(JSON.stringify({ callers: [{ ...megdocs, keys }] }), NOW)
  t.equal(verdict(message(get()), { ...OPTIONS, callers }), 'key_not_valid_now')
  t.equal(verdict(message(get()), { ...OPTIONS, callers, now: NOW - 1 }), 'verified')
})

t.test('a response signature presented as a request signature is refused', async (t) => {
  const request = verifyRequest(message(get()), OPTIONS)
  if (request.kind !== 'verified') return t.fail(request.detail)
  const answer = signResponse({ status: 200, headers: {}, body: '' }, request, HMAC, { now: NOW })
  t.equal(verdict(both(answer['signature-input'] ?? '', answer['signature'] ?? '')), 'parameter_missing')
})

/** The two unused bits of the last base64 character before one `=`. */
function spareBits(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  return text.replace(/(.)=:$/, (_, last: string) => `${alphabet[alphabet.indexOf(last) + 1]}=:`)
}

/**
 * Adds `other.internal` to our authorities if a probe uses it, so that the signature check must refuse it, not the
 * list.
 */
function other(request: RequestMessage): typeof OPTIONS {
  const theirs = request.rawHeaders.includes('other.internal')
  return theirs ? { ...OPTIONS, authorities: new Set([AUTHORITY, 'other.internal']) } : OPTIONS
}
