import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Clock } from '../core/ports.ts'
import { readObject } from './answer.ts'

/**
 * The token of another issuer that stands in the place of a client assertion (workload identity federation,
 * docs/microsoft.md#client-credentials): in Kubernetes the projected token of the service account. The kubelet replaces
 * the file, so it is read for every exchange. Another program that writes it may leave it half written or missing for a
 * moment: then the last good token is used while it is valid.
 */
export interface FederatedTokenSource {
  /** Reads the file. Undefined: neither the file nor the last good token can be used now. Never rejects. */
  assertion(): Promise<string | undefined>
  /** Reads the file, and says what was found. Never rejects. */
  state(): Promise<FederatedTokenState>
}

/** `unreadable`: there is no such file, or it cannot be read. `malformed`: no JWT, or only a part of one. */
export const FEDERATED_TOKEN_PROBLEMS = ['unreadable', 'too_large', 'malformed', 'expired'] as const
export type FederatedTokenProblem = (typeof FEDERATED_TOKEN_PROBLEMS)[number]

export interface FederatedTokenState {
  /** What is wrong with the file; absent: its token is good. */
  problem?: FederatedTokenProblem
  /** The token that is sent: that of the file, else the last good one. Absent: there is none. */
  token?: FederatedTokenFacts
  /** The token of the file, which is not sent because it has expired. */
  expired?: FederatedTokenFacts
}

/** What an operator compares with the portal. Not the token. */
export interface FederatedTokenFacts {
  issuer: string
  subject: string
  audiences: readonly string[]
  /** Milliseconds since the epoch. */
  expiresAtMs: number
  /** RS256 is the only one that Microsoft promises to accept. */
  algorithm: string
}

/** A projected token of Kubernetes has about 1 kB. */
export const MAX_TOKEN_BYTES = 16 * 1024

interface FederatedToken {
  assertion: string
  facts: FederatedTokenFacts
  keyId: unknown
  signatureBytes: number
}

/** `onChange`: the file became bad or good again, or what is sent instead of it has expired; for the log. */
export function createFederatedTokenSource(
  file: string,
  clock: Clock,
  onChange: (state: FederatedTokenState) => void = () => {},
): FederatedTokenSource {
  let lastGood: FederatedToken | undefined
  let reported = 'good'

  async function find(): Promise<{ state: FederatedTokenState; assertion?: string }> {
    const text = await readToken(file)
    const read = typeof text === 'object' ? text : parseFederatedToken(text, clock.now(), lastGood)
    if (!('problem' in read)) lastGood = read
    const token = lastGood !== undefined && lastGood.facts.expiresAtMs > clock.now() ? lastGood : undefined
    const state = { ...('problem' in read && read), ...(token && { token: token.facts }) }
    report(state)
    return { state, ...(token && { assertion: token.assertion }) }
  }

  function report(state: FederatedTokenState): void {
    const { problem, token } = state
    const now = problem === undefined ? 'good' : `${problem} ${token === undefined ? 'alone' : 'replaced'}`
    if (now === reported) return
    reported = now
    onChange(state)
  }

  return {
    assertion: async () => (await find()).assertion,
    state: async () => (await find()).state,
  }
}

async function readToken(file: string): Promise<string | { problem: FederatedTokenProblem }> {
  try {
    // O_NONBLOCK: a pipe in the place of the file must not hold up an exchange.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const buffer = Buffer.alloc(MAX_TOKEN_BYTES + 1)
      let size = 0
      for (;;) {
        const { bytesRead } = await handle.read(buffer, size, buffer.length - size, null)
        size += bytesRead
        if (size > MAX_TOKEN_BYTES) return { problem: 'too_large' }
        if (bytesRead === 0) return buffer.toString('latin1', 0, size).trim()
      }
    } finally {
      await handle.close()
    }
  } catch {
    return { problem: 'unreadable' }
  }
}

/** Bytes of a signature (RFC 7518 section 3.4, RFC 8037 section 3.1); of RSA those of the key, 2048 bits and more. */
const SIGNATURE_BYTES: Readonly<Record<string, number>> = { ES256: 64, ES384: 96, ES512: 132, EdDSA: 64 }
const isWhole = (algorithm: string, bytes: number): boolean =>
  /^[RP]S\d{3}$/.test(algorithm) ? bytes >= 256 && bytes % 64 === 0 : bytes === (SIGNATURE_BYTES[algorithm] ?? bytes)

/**
 * Reads a token without its signature: only Microsoft checks that. What is checked here is that the whole token has
 * been read: a cut one would be refused, and stop the refreshes of everybody. `now` in milliseconds since the epoch;
 * `last`: a token before this one, because a signature of the same key has the same length.
 */
export function parseFederatedToken(
  text: string,
  now: number,
  last?: Pick<FederatedToken, 'keyId' | 'signatureBytes' | 'facts'>,
): FederatedToken | (Pick<FederatedTokenState, 'problem' | 'expired'> & { problem: FederatedTokenProblem }) {
  const malformed = { problem: 'malformed' } as const
  const parts = text.split('.').map(decode)
  const [head, body, signature] = parts
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined) return malformed
  const header = readObject(head.toString('utf8'))
  const claims = readObject(body.toString('utf8'))
  if (header === undefined || claims === undefined) return malformed
  const { alg: algorithm, kid: keyId } = header
  const { iss: issuer, sub: subject, aud, exp } = claims
  const audiences: unknown[] = Array.isArray(aud) ? aud : [aud]
  if (!isText(algorithm) || algorithm === 'none' || !isText(issuer) || !isText(subject)) return malformed
  if (audiences.length === 0 || !audiences.every(isText)) return malformed
  // Later than any date: a number in milliseconds, or none that a clock shows.
  if (typeof exp !== 'number' || !(exp > 0 && exp < 1e11)) return malformed
  if (!isWhole(algorithm, signature.length)) return malformed
  const isOfSameKey = last !== undefined && keyId === last.keyId && algorithm === last.facts.algorithm
  if (isOfSameKey && signature.length !== last.signatureBytes) return malformed
  const facts = { issuer, subject, audiences, expiresAtMs: exp * 1000, algorithm }
  if (facts.expiresAtMs <= now) return { problem: 'expired', expired: facts }
  return { assertion: text, facts, keyId, signatureBytes: signature.length }
}

/** The bytes of one part of a JWT (RFC 7515 section 2). Undefined: it is empty, or no base64url, or cut in a group. */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return part !== '' && bytes.toString('base64url') === part ? bytes : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
