/**
 * Client authentication at the token endpoint: secret in body or Basic, a certificate's assertion, or the token of
 * another issuer (docs/microsoft.md#client-credentials).
 */
import { constants, verify } from 'node:crypto'
import { findCertificate } from './application.ts'
import { checkFederatedAssertion } from './federation.ts'
import { decode } from './form.ts'
import { Refusal } from './errors.ts'
import type { TokenRequest } from './counters.ts'
import type { World } from './world.ts'

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

type Form = ReadonlyMap<string, string>

export function authenticationMethod(form: Form, authorization: string | undefined): TokenRequest['authentication'] {
  if (form.has('client_assertion')) return 'private_key_jwt'
  if (form.has('client_secret')) return 'client_secret_post'
  return authorization?.startsWith('Basic ') ? 'client_secret_basic' : 'none'
}

/** RFC 6749 2.3.1: both parts are form-encoded before base64. */
function readBasic(authorization: string): { id: string; secret: string } {
  const text = Buffer.from(authorization.slice(6), 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) throw new Refusal(7000218)
  return { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) }
}

/** The client id of the request, which may stand in the Basic header alone. */
export function readClientId(form: Form, authorization: string | undefined): string | undefined {
  return form.get('client_id') ?? (authorization?.startsWith('Basic ') ? readBasic(authorization).id : undefined)
}

/**
 * Throws the refusal of a wrong, expired or missing credential. `audiences` are the addresses of the token endpoint
 * that an assertion may name.
 */
export async function authenticateClient(
  world: World,
  form: Form,
  authorization: string | undefined,
  audiences: string[],
): Promise<void> {
  const basic = authorization?.startsWith('Basic ') ? readBasic(authorization) : undefined
  const given = [form.has('client_assertion'), form.has('client_secret'), basic !== undefined].filter(Boolean)
  if (given.length === 0) throw new Refusal(7000218)
  if (given.length > 1 || (basic && basic.id !== world.app.clientId)) throw new Refusal(9002313)
  const assertion = form.get('client_assertion')
  if (assertion === undefined) return checkSecret(world, basic?.secret ?? form.get('client_secret') ?? '')
  if (form.get('client_assertion_type') !== assertionType) throw new Refusal(7000218)
  await checkAssertion(world, assertion, audiences)
}

function checkSecret(world: World, secret: string): void {
  const known = world.app.secrets.find((entry) => entry.value === secret)
  if (!known) throw new Refusal(7000215)
  if (known.expiresAt !== undefined && known.expiresAt <= world.clock.now()) throw new Refusal(7000222)
}

const usedAssertions = new WeakMap<World, Map<string, number>>()

/** Entra itself does not insist on a fresh `jti`; refusing reuse here shows a client that sends one assertion twice. */
async function checkAssertion(world: World, assertion: string, audiences: string[]): Promise<void> {
  const parts = assertion.split('.')
  const [head, body, signature, ...more] = parts
  const header = readJson(head)
  const claims = readJson(body)
  if (!header || !claims || !signature || more.length > 0) throw new Refusal(50027)
  // An assertion of the application itself names its certificate. Other issuers know none.
  if (header.x5t === undefined && header['x5t#S256'] === undefined && claims.iss !== world.app.clientId)
    return checkFederatedAssertion(world, parts, claims)
  const modern = header.alg === 'PS256' && typeof header['x5t#S256'] === 'string'
  const legacy = header.alg === 'RS256' && (typeof header.x5t === 'string' || typeof header['x5t#S256'] === 'string')
  if (!modern && !legacy) throw new Refusal(700027)
  const certificate =
    typeof header['x5t#S256'] === 'string'
      ? findCertificate(world.app, 'sha256', header['x5t#S256'])
      : findCertificate(world.app, 'sha1', String(header.x5t))
  if (!certificate) throw new Refusal(700027)
  const padding = modern
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
    : { padding: constants.RSA_PKCS1_PADDING }
  const key = { key: certificate.publicKey, ...padding }
  const valid = verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
  if (!valid) throw new Refusal(700027)
  const now = world.clock.now() / 1000
  if (claims.iss !== world.app.clientId || claims.sub !== world.app.clientId) throw new Refusal(700021)
  if (typeof claims.exp !== 'number' || claims.exp <= now - 300) throw new Refusal(700024)
  if (typeof claims.nbf === 'number' && claims.nbf > now + 300) throw new Refusal(700024)
  if (!audiences.includes(String(claims.aud))) {
    const text = 'Client assertion audience claim does not match Realm issuer.'
    throw new Refusal(700023, { error: 'invalid_client', text })
  }
  let used = usedAssertions.get(world)
  if (!used) usedAssertions.set(world, (used = new Map()))
  if (used.size > 10_000) for (const [jti, exp] of used) if (exp < now - 300) used.delete(jti)
  if (typeof claims.jti !== 'string' || used.has(claims.jti)) {
    throw new Refusal(50013, { text: 'Assertion failed validation: jti is missing or was used before.' })
  }
  used.set(claims.jti, claims.exp)
}

function readJson(part: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
