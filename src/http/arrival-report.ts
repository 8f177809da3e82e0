import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'

// `doctor --public` asks at our own addresses how a request arrives here. Only who holds the deployment's session secret gets an answer;
// for everybody else the address is what it always is: a page of ours, or none.

/** The query parameter that carries the proof. */
export const ARRIVAL_REPORT_PARAMETER = 'doctor'
/** Seconds that a proof is good for, and that the prover's clock may be ahead. */
const LIFE = 60
const AHEAD = 5
const LABEL = 'token-broker/probe'
const PROOF = /^(\d{10})\.([A-Za-z0-9_-]{43})$/

/** A request as it came to the broker. Addresses and header fields are what the last proxy made of them. */
export interface ArrivalReport {
  answered_by: 'token-broker'
  /** After TRUSTED_PROXIES had their say. */
  scheme: string
  client: string
  /** Who opened the connection: the ingress, if there is one. */
  peer: string
  forwarded_proto: string | null
  forwarded_for: string | null
  host: string | null
  /** The request target, as long as it was and hashed: whether it came whole and unchanged. */
  target_length: number
  target_sha256: string
}

/** A key of its own (RFC 5869): what is proven here proves nothing elsewhere. */
const keyOf = (secret: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', LABEL, 32))
const macOf = (secret: string, seconds: string): Buffer => createHmac('sha256', keyOf(secret)).update(seconds).digest()

/** `now` in milliseconds. */
export function arrivalReportProof(secret: string, now: number): string {
  const seconds = String(Math.floor(now / 1000))
  return `${seconds}.${macOf(secret, seconds).toString('base64url')}`
}

export const targetHash = (target: string): string => createHash('sha256').update(target).digest('base64url')

/**
 * Before everything else on the listener: what keeps ordinary requests out, such as plain HTTP, is what doctor wants to hear about. `secrets`
 * newest first, all count; `now` in milliseconds.
 */
export function answerArrivalReports(
  scope: FastifyInstance,
  { secrets, now }: { secrets: readonly string[]; now(): number },
): void {
  scope.addHook('onRequest', async (request, reply) => {
    const proof = (request.query as Record<string, unknown> | undefined)?.[ARRIVAL_REPORT_PARAMETER]
    if (request.method !== 'GET' || typeof proof !== 'string' || !holds(proof, secrets, now())) return
    return reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).send(arrivalOf(request))
  })
}

function holds(proof: string, secrets: readonly string[], now: number): boolean {
  const [, seconds = '', mac = ''] = PROOF.exec(proof) ?? []
  const age = now / 1000 - Number(seconds)
  if (mac === '' || age > LIFE || age < -AHEAD) return false
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

/** IPv4 as it is written, also where the listener speaks IPv6. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '').slice(0, 200)
