import { parseDictionary } from 'structured-headers'
import fc from 'fast-check'
import { verifyRequest } from '../../src/signature/verify.ts'
import { parseByteMembers, parseSignatureInput } from '../../src/signature/structured-fields.ts'
import { AUTHORITY, ED25519, get, HMAC, message, OPTIONS, post } from '../signature/support.ts'
import { near, promise, target } from './target.ts'

const INPUT =
  'sig1=("@method" "@authority" "@path" "@query");created=1795255200;expires=1795255230;nonce="rX9v0p1yUO1Z3v0m8bq3Xw"' +
  ';keyid="megdocs-2026-11";tag="token-broker/1"'
const BYTES = 'sig1=:K2qGT5srn2OGbOIDzQ6kYT+ruaycnDAAUpKv+ePFfD0=:'

/** RFC 8941 as another implementation reads it. */
function isDictionary(text: string): boolean {
  try {
    parseDictionary(text)
    return true
  } catch {
    return false
  }
}

export const signatureInput = target(
  'signature-input',
  fc.oneof(near(INPUT, 'a=()', 'a=("x";sf "y");b', 'a=("@path");created=-1'), fc.string({ unit: 'binary' })),
  (text) => {
    const read = parseSignatureInput(text)
    if (typeof read === 'string') return
    promise(isDictionary(text), 'accepted what is no dictionary of RFC 8941')
    const again = parseSignatureInput(`x=${read.value}`)
    promise(
      typeof again !== 'string' && again.value === read.value,
      'the value that it returns is not the whole member',
    )
  },
)

export const byteSequences = target(
  'byte-sequences',
  fc.oneof(near(BYTES, 'sha-256=:AA==:, sha-512=:AAAA:', 'a=:: '), fc.string({ unit: 'binary' })),
  (text) => {
    const read = parseByteMembers(text)
    if (read === undefined) return
    promise(isDictionary(text), 'accepted what is no dictionary of RFC 8941')
    for (const [name, [value]] of parseDictionary(text))
      promise(value instanceof ArrayBuffer && read.get(name)?.equals(Buffer.from(value)) === true, 'other bytes')
  },
)

const SIGNED = [get({ key: HMAC }), get({ key: ED25519 }), post({ key: HMAC })].map((draft) => message(draft))
const lines = (raw: readonly string[]): string => raw.map((text) => JSON.stringify(text)).join('\n')

export const verifier = target(
  'verifier',
  fc.record({
    which: fc.nat({ max: SIGNED.length - 1 }),
    method: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: near('GET', 'POST') }),
    target: fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: near('/tokens/42', '/tokens/%34%32', '//', '/tokens/42?min_ttl=5') },
    ),
    headers: fc.array(
      fc.record({ at: fc.nat({ max: 30 }), put: near(INPUT, BYTES, AUTHORITY, 'signature', 'Host', '0', 'chunked') }),
      { maxLength: 4 },
    ),
  }),
  ({ which, method, target: path, headers }) => {
    const original = SIGNED[which]!
    const rawHeaders = [...original.rawHeaders]
    for (const { at, put } of headers) rawHeaders[at % rawHeaders.length] = put
    const changed = {
      ...original,
      rawHeaders,
      ...(method !== '' && { method }),
      ...(path !== '' && { target: path }),
    }
    const before = verifyRequest(original, OPTIONS)
    promise(before.kind === 'verified', 'the request as it was signed is refused')
    const verdict = verifyRequest(changed, OPTIONS)
    if (verdict.kind === 'refused') return
    promise(changed.method === original.method, 'another method was accepted')
    promise(changed.target === original.target, 'another target was accepted')
    const covered = new Map(verdict.covered)
    promise(
      before.kind === 'verified' && lines([...covered.values()]) === lines(before.covered.map(([, value]) => value)),
      'accepted other values than those that were signed',
    )
  },
)
