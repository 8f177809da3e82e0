// Makes signed requests as an attacker or a faulty client would: the text of the two fields is free, and the signature
// over the resulting base is correct. So a refusal comes from the policy, not from a wrong MAC. The derivation of
// values is independent of src/signature/base.ts.
import { generateKeyPairSync } from 'node:crypto'
import type { RequestMessage } from '../../src/signature/base.ts'
import { parseCallers } from '../../src/signature/callers.ts'
import { contentDigest } from '../../src/signature/content-digest.ts'
import { createSignature, signingKey, verificationKey } from '../../src/signature/keys.ts'
import type { SigningKey } from '../../src/signature/keys.ts'
import { verifyRequest } from '../../src/signature/verify.ts'

/** ms since the epoch */
export const NOW = Date.parse('2026-11-22T10:00:00Z')
export const NOW_S = NOW / 1000
export const AUTHORITY = 'broker.internal'
export const NONCE = 'rX9v0p1yUO1Z3v0m8bq3Xw'

// The keys of RFC 9421 appendix B.1.4 and B.1.5. They are published, so use them for tests only.
const RFC_SECRET = 'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ'
const RFC_SEED = 'n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU'
export const RFC_PUBLIC = 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs'

export const HMAC = signingKey('megdocs-2026-11', 'hmac-sha256', RFC_SECRET)
export const ED25519 = signingKey('reports-2026-11', 'ed25519', RFC_SEED)
export const BROKER = signingKey('broker-2026-11', 'ed25519', freshSeed())
export const BROKER_PUBLIC = verificationKey('broker-2026-11', 'ed25519', publicOf(BROKER))

const validity = { not_before: '2026-11-01T00:00:00Z', not_after: '2027-05-01T00:00:00Z' }
export const CALLERS_FILE = {
  callers: [
    {
      name: 'megdocs',
      permissions: ['tokens:read', 'tokens:refresh'],
      keys: [{ key_id: HMAC.keyId, algorithm: 'hmac-sha256', secret: RFC_SECRET, ...validity }],
    },
    {
      name: 'reports',
      permissions: ['events:read'],
      strict_replay: true,
      keys: [{ key_id: ED25519.keyId, algorithm: 'ed25519', public_key: RFC_PUBLIC, ...validity }],
    },
  ],
}
export const CALLERS = parseCallers(JSON.stringify(CALLERS_FILE), NOW)
export const OPTIONS = { callers: CALLERS, authorities: new Set([AUTHORITY]), now: NOW }

/** A request before it is signed. All texts are as they will be in the fields. */
export interface Draft {
  method: string
  target: string
  scheme: 'http' | 'https'
  hosts: string[]
  headers: [string, string][]
  label: string
  /** Component identifiers as text */
  components: string[]
  /** Parameters in order, values as text. Undefined: a bare key */
  params: [string, string | undefined][]
  key: SigningKey
}

export function params(
  overrides: Record<string, string | undefined> = {},
  key: SigningKey = HMAC,
): [string, string | undefined][] {
  const all: Record<string, string | undefined> = {
    created: `${NOW_S}`,
    expires: `${NOW_S + 30}`,
    nonce: `"${NONCE}"`,
    keyid: `"${key.keyId}"`,
    tag: '"token-broker/1"',
    ...overrides,
  }
  return Object.entries(all).filter(([, value]) => value !== undefined)
}

export function get(overrides: Partial<Draft> = {}): Draft {
  const key = overrides.key ?? HMAC
  return {
    method: 'GET',
    target: '/tokens/42?min_ttl=300',
    scheme: 'https',
    hosts: [AUTHORITY],
    headers: [['Accept', 'application/json']],
    label: 'sig1',
    components: ['"@method"', '"@authority"', '"@path"', '"@query"'],
    params: params({}, key),
    ...overrides,
    key,
  }
}

export const BODY = '{"generation":1817}'

export function post(overrides: Partial<Draft> = {}): Draft {
  return get({
    method: 'POST',
    target: '/tokens/42/refresh',
    headers: [
      ['Content-Type', 'application/json'],
      ['Content-Length', String(BODY.length)],
      ['Content-Digest', contentDigest(BODY)],
    ],
    components: ['"@method"', '"@authority"', '"@path"', '"@query"', '"content-digest"', '"content-type"'],
    ...overrides,
  })
}

/** The value of the member and the resulting base, derived in the simplest way. */
export function describe(draft: Draft): { value: string; base: string } {
  const tail = draft.params.map(([name, text]) => (text === undefined ? `;${name}` : `;${name}=${text}`)).join('')
  const value = `(${draft.components.join(' ')})${tail}`
  const lines = draft.components.map((identifier) => `${identifier}: ${valueOf(identifier, draft)}\n`)
  return { value, base: `${lines.join('')}"@signature-params": ${value}` }
}

export function sign(draft: Draft): { 'Signature-Input': string; Signature: string } {
  const { value, base } = describe(draft)
  const signature = createSignature(draft.key, base)
  return { 'Signature-Input': `${draft.label}=${value}`, Signature: `${draft.label}=:${signature}:` }
}

/** The message. `lines` replaces the two signature lines. `after` changes the draft after signing. */
export function message(draft: Draft, lines?: [string, string][], after: Partial<Draft> = {}): RequestMessage {
  const sent = { ...draft, ...after }
  const rawHeaders = [
    ...sent.hosts.map((host) => ['Host', host]),
    ...sent.headers,
    ...(lines ?? Object.entries(sign(draft))),
  ].flat()
  return { method: sent.method, target: sent.target, scheme: sent.scheme, rawHeaders }
}

/** `verified`, or the detail of the refusal. */
export function verdict(request: RequestMessage, options = OPTIONS): string {
  const result = verifyRequest(request, options)
  return result.kind === 'verified' ? 'verified' : result.detail
}

function valueOf(identifier: string, draft: Draft): string {
  const name = /^"([^"]*)"/.exec(identifier)?.[1] ?? ''
  const authority = (draft.hosts[0] ?? '').toLowerCase()
  const [path, ...query] = draft.target.split('?')
  if (name === '@method') return draft.method
  if (name === '@authority') return authority
  if (name === '@path') return path ?? ''
  if (name === '@query') return `?${query.join('?')}`
  if (name === '@target-uri') return `${draft.scheme}://${authority}${draft.target}`
  if (name === '@request-target') return draft.target
  if (name === '@scheme') return draft.scheme
  if (name === '@status') return '200'
  const fields: [string, string][] = [...draft.hosts.map((host): [string, string] => ['host', host]), ...draft.headers]
  return fields
    .filter(([field]) => field.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value.trim())
    .join(', ')
}

function freshSeed(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }).d as string
}

function publicOf(key: SigningKey): string {
  return key.key.export({ format: 'jwk' }).x as string
}
