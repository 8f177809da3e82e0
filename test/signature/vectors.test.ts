// The published cases of RFC 9421 (appendix B, sections 2.4, 3.2 and 4.3) and its component vectors (sections 2.1 to
// 2.2.9). src/signature derives the components that the product uses. The others (sf, key, bs, query-param,
// request-target, scheme) are derived below, and RSA and ECDSA, which the product does not accept, are verified here.
import { createPublicKey, createSecretKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseDictionary, serializeDictionary, serializeInnerList, serializeItem } from 'structured-headers'
import t from 'tap'
import { fieldsOf, fieldValue, requestComponent, signatureBase } from '../../src/signature/base.ts'
import type { BaseLine, Fields, RequestMessage } from '../../src/signature/base.ts'
import { verifyContentDigest } from '../../src/signature/content-digest.ts'
import { createSignature, signatureMatches, signingKey } from '../../src/signature/keys.ts'
import type { SigningKey } from '../../src/signature/keys.ts'
import { parseSignatureInput, serializeSignatureParams } from '../../src/signature/structured-fields.ts'
import type { Parameters } from '../../src/signature/structured-fields.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import { parseCallers } from '../../src/signature/callers.ts'

interface Message {
  kind: 'request' | 'response'
  method: string
  request_target: string
  status: number
  headers: [string, string][]
  body: string | null
}
interface Case {
  id: string
  title: string
  keyid: string
  alg: string
  deterministic: boolean
  message: string
  related_request: string | null
  label: string
  signature_input: string
  signature_params: string
  signature_base: string
  signature_base64: string
  expect_valid: boolean
}
interface ComponentVector {
  section: string
  message: { kind: 'fields' | 'request' | 'response'; raw: string; scheme?: 'http' | 'https' }
  expected: [identifier: string, value: string][]
}
interface Vectors {
  keys: Record<string, { public_pem?: string; secret_base64?: string; jwk?: { d?: string; x?: string } }>
  messages: Record<string, Message>
  cases: Case[]
  component_vectors: ComponentVector[]
}

const vectors = JSON.parse(readFileSync(new URL('rfc9421-vectors.json', import.meta.url), 'utf8')) as Vectors

t.test('all 19 published cases are verified', async (t) => {
  t.equal(vectors.cases.length, 19)
  for (const vector of vectors.cases) {
    t.test(`${vector.id} ${vector.title}`, async (t) => {
      const input = parseSignatureInput(vector.signature_input)
      if (typeof input === 'string') return t.fail(input)
      t.equal(input.value, vector.signature_params, 'the member is used unchanged')
      const of = messageOf(vectors.messages[vector.message] as Message)
      const related =
        vector.related_request === null ? of : messageOf(vectors.messages[vector.related_request] as Message)
      const lines = input.components.map(({ name, parameters, text }): BaseLine => {
        return [text, component(parameters.has('req') ? related : of, name, parameters)]
      })
      t.equal(signatureBase(lines, input.value), vector.signature_base, 'the base is the published one')
      const signature = Buffer.from(vector.signature_base64, 'base64')
      t.equal(rightSignature(vector, signature), vector.expect_valid, vector.expect_valid ? 'verified' : 'refused')
      const key = vector.expect_valid ? keyThatSigns(vector) : undefined
      t.equal(key !== undefined, vector.deterministic && vector.expect_valid)
      if (key !== undefined)
        t.equal(createSignature(key, vector.signature_base), vector.signature_base64, 'signed byte for byte')
      const identifiers = lines.map(([identifier]) => identifier)
      t.equal(
        serializeSignatureParams(identifiers, Object.fromEntries(input.parameters) as Record<string, string>),
        input.value,
      )
    })
  }
})

t.test('all 21 component vectors are derived', async (t) => {
  t.equal(vectors.component_vectors.length, 21)
  for (const { section, message, expected } of vectors.component_vectors) {
    for (const [identifier, value] of expected) {
      const input = parseSignatureInput(`a=(${identifier})`)
      if (typeof input === 'string') return t.fail(input)
      const [{ name, parameters } = { name: '', parameters: new Map() }] = input.components
      t.equal(component(rawMessageOf(message), name, parameters), value, `section ${section} ${identifier}`)
    }
  }
})

t.test('each body of the published messages matches its own digest only', async (t) => {
  for (const [name, { headers, body }] of Object.entries(vectors.messages)) {
    const lines = fieldsOf(headers.flat()).get('content-digest')
    if (lines === undefined) continue
    t.equal(verifyContentDigest(lines, Buffer.from(body as string)), 'matches', name)
    t.equal(verifyContentDigest(lines, Buffer.from(`${body as string} `)), 'digest_mismatch', `${name}, a space more`)
  }
})

t.test('no published case fits the profile: the verifier refuses all their requests', async (t) => {
  const secret = Buffer.from(vectors.keys['test-shared-secret']?.secret_base64 as string, 'base64').toString(
    'base64url',
  )
  const validity = { not_before: '2021-01-01T00:00:00Z', not_after: '2021-12-31T00:00:00Z' }
  const publicKey = vectors.keys['test-key-ed25519']?.jwk?.x
  const keys = [
    { key_id: 'test-shared-secret', algorithm: 'hmac-sha256', secret, ...validity },
    { key_id: 'test-key-ed25519', algorithm: 'ed25519', public_key: publicKey, ...validity },
  ]
  const now = 1_618_884_475_000
  const callers = parseCallers(JSON.stringify({ callers: [{ name: 'rfc', permissions: ['tokens:read'], keys }] }), now)
  const hosts = Object.values(vectors.messages).flatMap(({ headers }) => headers.filter(([name]) => name === 'Host'))
  const authorities = new Set(hosts.map(([, host]) => host))
  for (const vector of vectors.cases) {
    const source = vectors.messages[vector.message] as Message
    if (source.kind !== 'request') continue
    const headers = source.headers.filter(([name]) => !name.startsWith('Signature'))
    const signature = `${vector.label}=:${vector.signature_base64}:`
    const rawHeaders = [...headers.flat(), 'Signature-Input', vector.signature_input, 'Signature', signature]
    const message: RequestMessage = {
      method: source.method,
      target: source.request_target,
      scheme: 'https',
      rawHeaders,
    }
    t.match(
      verifyRequest(message, { callers, authorities, now }),
      { kind: 'refused', code: 'invalid_signature' },
      vector.id,
    )
  }
})

interface Derivable {
  message: RequestMessage
  fields: Fields
  status?: number
}

function messageOf({ method, request_target, headers, status }: Message): Derivable {
  const message: RequestMessage = { method, target: request_target, scheme: 'https', rawHeaders: headers.flat() }
  return { message, fields: fieldsOf(message.rawHeaders), ...(status !== undefined && { status }) }
}

/**
 * A message from its text. Node's parser joins or refuses folded lines before our code gets them, so they are joined
 * here.
 */
function rawMessageOf({ kind, raw, scheme = 'https' }: ComponentVector['message']): Derivable {
  const [first = '', ...rest] = (kind === 'fields' ? `\n${raw}` : raw).replace(/\n[ \t]+/g, ' ').split('\n')
  const [method = '', target = ''] = first.split(' ')
  const rawHeaders = rest.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)])
  return { message: { method, target, scheme, rawHeaders }, fields: fieldsOf(rawHeaders), status: Number(target) }
}

/** The derivations of the product, then those that only the vectors need. */
function component({ message, fields, status }: Derivable, name: string, parameters: Parameters): string {
  if (name === '@status') return String(status)
  if (name === '@scheme') return message.scheme
  if (name === '@request-target') return message.target
  if (name === '@query-param')
    return queryParam(requestComponent(message, fields, '@query') ?? '', parameters.get('name') as string)
  const value = requestComponent(message, fields, name)
  if (value === undefined) throw new Error(`no component ${name}`)
  if (parameters.has('sf')) return serializeDictionary(parseDictionary(value))
  if (parameters.has('bs'))
    return (fields.get(name) ?? []).map((line) => `:${Buffer.from(line).toString('base64')}:`).join(', ')
  if (parameters.has('key')) {
    const member = parseDictionary(fieldValue(fields, name) ?? '').get(parameters.get('key') as string) ?? [
      '',
      new Map(),
    ]
    return Array.isArray(member[0]) ? serializeInnerList(member as never) : serializeItem(member as never)
  }
  return value
}

function queryParam(query: string, name: string): string {
  const value = new URLSearchParams(query).get(decodeURIComponent(name)) ?? ''
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function publicKeyOf(keyid: string): KeyObject {
  return createPublicKey(vectors.keys[keyid]?.public_pem as string)
}

function rightSignature({ alg, keyid, signature_base }: Case, signature: Buffer): boolean {
  const base = Buffer.from(signature_base)
  switch (alg) {
    case 'rsa-pss-sha512':
      return verify('sha512', base, { key: publicKeyOf(keyid), padding: 6, saltLength: 64 }, signature)
    case 'rsa-v1_5-sha256':
      return verify('sha256', base, publicKeyOf(keyid), signature)
    case 'ecdsa-p256-sha256':
      return verify('sha256', base, { key: publicKeyOf(keyid), dsaEncoding: 'ieee-p1363' }, signature)
    case 'ed25519':
      return signatureMatches({ algorithm: 'ed25519', key: publicKeyOf(keyid) }, signature_base, signature)
    default:
      return signatureMatches({ algorithm: 'hmac-sha256', key: secretOf(keyid) }, signature_base, signature)
  }
}

function secretOf(keyid: string): KeyObject {
  return createSecretKey(Buffer.from(vectors.keys[keyid]?.secret_base64 as string, 'base64'))
}

function keyThatSigns({ alg, keyid }: Case): SigningKey | undefined {
  if (alg === 'hmac-sha256') return signingKey(keyid, alg, secretOf(keyid).export().toString('base64url'))
  return alg === 'ed25519' ? signingKey(keyid, alg, vectors.keys[keyid]?.jwk?.d as string) : undefined
}
