import { constants, createHash, createPrivateKey, sign, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock, Random } from '../core/ports.ts'

/** What proves to Microsoft that we are the application (entra.md 1.4). PEM texts. */
export type Credential =
  { kind: 'secret'; secret: string } | { kind: 'certificate'; certificate: string; privateKey: string }

/** A credential ready for use: the form fields that authenticate one request to this endpoint. */
export interface Authenticator {
  kind: Credential['kind']
  /** ISO 8601; of a secret only the Azure portal knows it. */
  expiresAt?: string
  fields(endpoint: string): Promise<Record<string, string>>
}

/** Seconds an assertion lives, and how far it is dated back so that a clock slightly ahead does no harm. */
const ASSERTION_LIFETIME = 600
const BACKDATED = 60

const signAsync = promisify(sign)

/** Throws where the PEM cannot be read (config.ts has checked it before). */
export function createAuthenticator(
  credential: Credential,
  clientId: string,
  clock: Clock,
  random: Random,
): Authenticator {
  if (credential.kind === 'secret') {
    const { secret } = credential
    return { kind: 'secret', fields: async () => ({ client_secret: secret }) }
  }
  const certificate = new X509Certificate(credential.certificate)
  const key = createPrivateKey(credential.privateKey)
  const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url')
  return {
    kind: 'certificate',
    expiresAt: certificate.validToDate.toISOString(),
    fields: async (endpoint) => ({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertion(key, thumbprint, {
        aud: endpoint,
        iss: clientId,
        sub: clientId,
        jti: random.bytes(16).toString('hex'),
        ...times(clock),
      }),
    }),
  }
}

function times(clock: Clock): { iat: number; nbf: number; exp: number } {
  const now = Math.floor(clock.now() / 1000)
  return { iat: now, nbf: now - BACKDATED, exp: now + ASSERTION_LIFETIME }
}

// RFC 7523 2.2 with the header Microsoft asks for: PS256, x5t#S256 (entra.md 1.4).
async function assertion(key: KeyObject, thumbprint: string, claims: Record<string, unknown>): Promise<string> {
  const header = { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint }
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  return `${input}.${(await signAsync('sha256', Buffer.from(input), pss)).toString('base64url')}`
}
