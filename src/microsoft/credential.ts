import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Clock, Random } from '../core/ports.ts'
import { createFederatedTokenSource } from './federated-token.ts'
import type { FederatedTokenState } from './federated-token.ts'

/**
 * What proves to Microsoft that we are the application (docs/microsoft.md#client-credentials). PEM texts; `file`: the
 * path of a token of another issuer.
 */
export type Credential =
  | { kind: 'secret'; secret: string }
  | { kind: 'certificate'; certificate: string; privateKey: string }
  | { kind: 'federated'; file: string }

/** A credential ready for use: the form fields that authenticate one request to this endpoint. */
export interface Authenticator {
  kind: Credential['kind']
  /** ISO 8601; of a secret only the Azure portal knows it. */
  expiresAt?: string
  /** Undefined: there is nothing to send now. */
  fields(endpoint: string): Promise<Record<string, string> | undefined>
  /** Of a federated token: what is in its file. */
  federatedToken?(): Promise<FederatedTokenState>
}

const asFields = (assertion: string): Record<string, string> => ({
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion,
})

/** How long an assertion lives, and how far it is dated back so that a clock slightly ahead does no harm. */
const ASSERTION_LIFETIME_SECONDS = 600
const BACKDATED_SECONDS = 60

/** Throws where the PEM cannot be read (config.ts has checked it before). */
export function createAuthenticator(
  credential: Credential,
  clientId: string,
  clock: Clock,
  random: Random,
  onFederatedToken?: (state: FederatedTokenState) => void,
): Authenticator {
  if (credential.kind === 'federated') {
    const source = createFederatedTokenSource(credential.file, clock, onFederatedToken)
    return {
      kind: 'federated',
      federatedToken: () => source.state(),
      async fields() {
        const assertion = await source.assertion()
        return assertion === undefined ? undefined : asFields(assertion)
      },
    }
  }
  if (credential.kind === 'secret') {
    const { secret } = credential
    return { kind: 'secret', fields: async () => ({ client_secret: secret }) }
  }
  const certificate = new X509Certificate(credential.certificate)
  const key = createPrivateKey(credential.privateKey)
  // The header Microsoft asks for: PS256 and the certificate's SHA-256 thumbprint
  // (docs/microsoft.md#client-credentials).
  const header = {
    alg: 'PS256',
    typ: 'JWT',
    'x5t#S256': createHash('sha256').update(certificate.raw).digest('base64url'),
  }
  // RFC 7523 section 2.2.
  const assertion = (audience: string): Promise<string> => {
    const now = Math.floor(clock.now() / 1000)
    return new SignJWT()
      .setProtectedHeader(header)
      .setAudience(audience)
      .setIssuer(clientId)
      .setSubject(clientId)
      .setJti(random.bytes(16).toString('hex'))
      .setIssuedAt(now)
      .setNotBefore(now - BACKDATED_SECONDS)
      .setExpirationTime(now + ASSERTION_LIFETIME_SECONDS)
      .sign(key)
  }
  return {
    kind: 'certificate',
    expiresAt: certificate.validToDate.toISOString(),
    fields: async (endpoint) => asFields(await assertion(endpoint)),
  }
}

/** When the certificate ends that Microsoft is asked with: the first among them. Undefined: none of them is one. */
export function certificateEnd(credentials: readonly Credential[]): Date | undefined {
  const first = credentials.find((credential) => credential.kind === 'certificate')
  return first === undefined ? undefined : new X509Certificate(first.certificate).validToDate
}

/** When the first of these registrations is left without its certificate. Undefined: none of them uses one. */
export function firstCertificateEnd(clients: readonly { credentials: readonly Credential[] }[]): Date | undefined {
  const ends = clients.flatMap(({ credentials }) => certificateEnd(credentials) ?? [])
  return ends.toSorted((a, b) => a.getTime() - b.getTime())[0]
}
