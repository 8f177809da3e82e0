import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { canonicalAddress } from './addresses.ts'

// `doctor --public` requests our own addresses to see how a request arrives here. Only a requester that holds the
// deployment's session secret gets this report. Everybody else gets what the address always gives.

/** The query parameter that carries the proof. */
export const ARRIVAL_REPORT_PARAMETER = 'doctor'
/** How long a proof is valid, and how far the clock of its maker may be ahead. */
const PROOF_SECONDS = 60
const MAX_SKEW_SECONDS = 5
const LABEL = 'token-broker/probe'
const PROOF = /^(\d{10})\.([A-Za-z0-9_-]{43})$/

/** A request as it arrived at the broker. The last proxy has set the addresses and header fields. */
export interface ArrivalReport {
  answered_by: 'token-broker'
  /** As read with TRUSTED_PROXIES. */
  scheme: string
  client: string
  /** The other end of the connection: the ingress, if there is one. */
  peer: string
  forwarded_proto: string | null
  forwarded_for: string | null
  host: string | null
  /** Length and hash of the request target: whether it arrived whole and unchanged. */
  target_length: number
  target_sha256: string
}

/** A key for this purpose only (RFC 5869): the proof is worth nothing elsewhere. */
const keyOf = (secret: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', LABEL, 32))
const macOf = (secret: string, seconds: string): Buffer => createHmac('sha256', keyOf(secret)).update(seconds).digest()

/** `now` in milliseconds. */
export function arrivalReportProof(secret: string, now: number): string {
  const seconds = String(Math.floor(now / 1000))
  return `${seconds}.${macOf(secret, seconds).toString('base64url')}`
}

export const targetHash = (target: string): string => createHash('sha256').update(target).digest('base64url')

/**
 * Runs before all other hooks: doctor wants to know about what stops ordinary requests, such as plain HTTP. `secrets`
 * newest first, all are accepted; `now` in milliseconds.
 */
export function answerArrivalReports(
  scope: FastifyInstance,
  { secrets, now }: { secrets(): readonly string[]; now(): number },
): void {
  scope.addHook('onRequest', async (request, reply) => {
    const proof = (request.query as Record<string, unknown> | undefined)?.[ARRIVAL_REPORT_PARAMETER]
    if (request.method !== 'GET' || typeof proof !== 'string' || !isValidProof(proof, secrets(), now())) return
    return reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).send(arrivalOf(request))
  })
}

function isValidProof(proof: string, secrets: readonly string[], now: number): boolean {
  const [, seconds = '', mac = ''] = PROOF.exec(proof) ?? []
  const age = now / 1000 - Number(seconds)
  if (mac === '' || age > PROOF_SECONDS || age < -MAX_SKEW_SECONDS) return false
  const given = Buffer.from(mac, 'base64url')
  return secrets.some((secret) => timingSafeEqual(macOf(secret, seconds), given))
}

function arrivalOf(request: FastifyRequest): ArrivalReport {
  const field = (name: string): string | null => {
    const value = request.headers[name]
    return value === undefined ? null : String(value).slice(0, 200)
  }
  const target = request.raw.url ?? ''
  return {
    answered_by: 'token-broker',
    scheme: request.protocol,
    client: plain(request.ip),
    peer: plain(request.socket.remoteAddress ?? ''),
    forwarded_proto: field('x-forwarded-proto'),
    forwarded_for: field('x-forwarded-for'),
    host: field('host'),
    target_length: target.length,
    target_sha256: targetHash(target),
  }
}

const plain = (address: string): string => canonicalAddress(address) ?? address.slice(0, 200)
