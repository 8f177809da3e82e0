import t from 'tap'
import { addressIn, dependsOnClaims, mergeClaims, readChallenge, satisfies } from '../../src/core/claims.ts'
import type { Integration } from '../../src/core/integration.ts'

// What a claims challenge is, which token answers one, and which refusals are about it
// (docs/design.md#continuous-access-evaluation).

const NOW_MS = Date.parse('2026-11-28T10:00:00Z')
const read = (claims: string) => readChallenge(claims, NOW_MS)
const json = (accessToken: unknown, more: object = {}) => JSON.stringify({ access_token: accessToken, ...more })
const base64 = (text: string) => Buffer.from(text).toString('base64')
const seconds = (ahead: number) => String(Math.floor(NOW_MS / 1000) + ahead)

t.test('recorded challenges are read, in base64 as they came or as JSON', async (t) => {
  const recorded = [
    '{"access_token":{"nbf":{"essential":true, "value":"1635527790"}}}',
    '{"access_token":{"nbf":{"essential":true,"value":"1726077595"},"xms_caeerror":{"value":"10012"}}}',
    '{"access_token":{"nbf":{"essential":true,"value":"1610563006"},"xms_rp_ipaddr":{"value":"1.2.3.4"}}}',
    '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}',
    '{"access_token":{"capolids":{"essential":true,"values":["bbbbbbbb-0000-4000-8000-000000000001"]}}}',
    '{"access_token":{"polids":{"essential":true,"Values":["bbbbbbbb-0000-4000-8000-000000000001"]}}}',
  ]
  for (const text of recorded) {
    const forms = [text, base64(text), base64(text).replace(/=+$/, ''), Buffer.from(text).toString('base64url')]
    const found = forms.map((form) => read(form))
    t.ok('challenge' in found[0]!, text)
    for (const other of found) t.same(other, found[0], 'one challenge, one hash')
  }
  t.match(read(recorded[2]!), {
    challenge: { notBeforeSeconds: 1610563006, graphAddress: '1.2.3.4', hash: /^[\w-]{43}$/ },
  })
  const [a, b] = [
    read(json({ acrs: { value: 'c1' }, nbf: { value: '5' } })),
    read(json({ nbf: { value: '5' }, acrs: { value: 'c1' } })),
  ]
  t.same(a, b, 'the order of members does not count')
  t.notSame(read(json({ acrs: { value: 'c1' } })), read(json({ acrs: { value: 'c2' } })))
})

t.test('what is no challenge is refused, in words that quote nothing of it', async (t) => {
  const wrong: [string, RegExp][] = [
    ['', /base64/],
    ['secret!', /base64/],
    ['c2VjcmV0', /JSON object/],
    ['{"access_token":', /JSON object/],
    [base64('["secret"]'), /JSON object/],
    ['{}', /only member is access_token/],
    [json(null), /only member is access_token/],
    [json(['secret']), /only member is access_token/],
    [json({ nbf: { value: '1' } }, { id_token: { secret: null } }), /only member is access_token/],
    [json({}), /at least one/],
    [json({ xms_cc: { values: ['cp1'] } }), /no other members/],
    [json({ nbf: { value: '1' }, secret: { value: 'x' } }), /no other members/],
    [json({ nbf: null }), /access_token\.nbf/],
    [json({ nbf: 'secret' }), /access_token\.nbf/],
    [json({ nbf: { essential: true } }), /access_token\.nbf/],
    [json({ nbf: { value: 'secret' } }), /seconds/],
    [json({ nbf: { value: '-1' } }), /seconds/],
    [json({ nbf: { value: seconds(301) } }), /ahead/],
    [json({ acrs: { value: '' } }), /access_token\.acrs/],
    [json({ acrs: { value: { toString: 'secret' } } }), /access_token\.acrs/],
    [json({ acrs: { value: ['secret'] } }), /access_token\.acrs/],
    [json({ acrs: { value: null } }), /access_token\.acrs/],
    [json({ nbf: { value: { toString: null } } }), /access_token\.nbf/],
    [json({ acrs: { values: 'secret' } }), /access_token\.acrs/],
    [json({ acrs: { values: [] } }), /access_token\.acrs/],
    [json({ acrs: { values: [{}], essential: 'secret' } }), /access_token\.acrs/],
    [json({ acrs: { value: 'c1', secret: 1 } }), /access_token\.acrs/],
    [json({ acrs: { value: 'x'.repeat(257) } }), /access_token\.acrs/],
    [json({ acrs: { value: '\u00fc'.repeat(2100) } }), /4096 bytes/],
  ]
  for (const [text, expected] of wrong) {
    const found = read(text)
    t.ok('expected' in found, text.slice(0, 80))
    if (!('expected' in found)) continue
    t.match(found.expected, expected, text.slice(0, 80))
    t.notMatch(found.expected, 'secret')
  }
  t.ok('challenge' in read(json({ nbf: { value: seconds(300) } })), 'clocks differ by five minutes')
  t.ok('challenge' in read(json({ nbf: { value: Number(seconds(0)) } })), 'a number is seconds too')
})

t.test(
  'requests for claims are merged, a later one wins, and rubbish is left out; one alone stays as it is',
  async (t) => {
    const cp1 = json({ xms_cc: { values: ['cp1'] } })
    t.equal(mergeClaims(undefined, undefined), undefined)
    t.equal(mergeClaims(undefined, cp1), '{"access_token":{"xms_cc":{"values":["cp1"]}}}')
    t.equal(mergeClaims('{"a": 1}', undefined), '{"a": 1}')
    t.equal(mergeClaims('rubbish', '[]', json(null), cp1), cp1)
    t.same(JSON.parse(mergeClaims('{"id_token":{"x":null}}', cp1)!), {
      id_token: { x: null },
      access_token: { xms_cc: { values: ['cp1'] } },
    })
    t.same(
      JSON.parse(mergeClaims(json({ nbf: { value: '1' }, acrs: { value: 'a' } }), json({ nbf: { value: '2' } }), cp1)!),
      {
        access_token: { nbf: { value: '2' }, acrs: { value: 'a' }, xms_cc: { values: ['cp1'] } },
      },
    )
  },
)

t.test('a token answers a challenge if it was got with it, or issued later than it asks for', async (t) => {
  const challenge = (text: string) => {
    const found = read(text)
    if (!('challenge' in found)) throw new Error(found.expected)
    return found.challenge
  }
  // Issued at 09:00:00.
  const integration = { expiresAt: '2026-11-28T10:00:00Z', lifetimeSeconds: 3600 } as Integration
  const issued = Math.floor(NOW_MS / 1000) - 3600
  const nbf = (value: number) => challenge(json({ nbf: { value: String(value) } }))
  t.equal(satisfies(integration, nbf(issued - 1)), true)
  t.equal(satisfies(integration, nbf(issued)), false, 'in the same second')
  t.equal(satisfies(integration, nbf(issued + 1)), false)
  const acrs = challenge(json({ acrs: { value: 'c1' } }))
  t.equal(satisfies(integration, acrs), false)
  t.equal(satisfies({ ...integration, claimsHash: acrs.hash }, acrs), true)
  t.equal(satisfies({ ...integration, claimsHash: acrs.hash }, nbf(issued + 1)), false)
})

t.test('which refusals would be the same without the challenge', async (t) => {
  for (const reason of ['access_revoked', 'account_disabled', 'consent_required', 'tenant_unavailable'])
    t.equal(dependsOnClaims({ reason }), false, reason)
  for (const reason of [
    'mfa_required',
    'sign_in_required',
    'blocked_by_policy',
    'device_not_compliant',
    'token_invalid',
  ])
    t.equal(dependsOnClaims({ reason }), true, reason)
  t.equal(dependsOnClaims({ reason: 'token_invalid', final: true }), false, 'a dead refresh token')
})

t.test('the address in an access token is read where the token is readable', async (t) => {
  const token = (payload: unknown) => `e30.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.x`
  t.equal(addressIn(token({ ipaddr: '192.0.2.10' })), '192.0.2.10')
  t.equal(addressIn(token({ ipaddr: '2001:db8::1' })), '2001:db8::1')
  for (const other of ['', 'EwBopaque', token({}), token({ ipaddr: '<b>' }), token([]), 'a.b.c'])
    t.equal(addressIn(other), undefined)
})
