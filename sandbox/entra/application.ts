/** The one registered application: its id, redirect URIs and credentials, as the Azure portal would hold them. */
import { createHash, X509Certificate } from 'node:crypto'

export interface ClientSecret {
  value: string
  /** Milliseconds since the epoch, the simulator's clock. After it: AADSTS7000222. */
  expiresAt?: number
}

/** Another issuer whose tokens for this subject and one of these audiences are taken. */
export interface FederatedCredential {
  issuer: string
  subject: string
  audiences: readonly string[]
}

export interface Application {
  clientId: string
  name: string
  redirectUris: string[]
  /** Several are valid at once, which is how a secret is rotated. */
  secrets: ClientSecret[]
  /** PEM. */
  certificates: string[]
  federatedCredentials: FederatedCredential[]
}

export const defaultClientId = '51305a7e-d000-4000-8000-0000c11e0700'
/** Has the form of a real one, so that checks of the form are exercised too. */
export const defaultClientSecret = 'sim8Q~SIMULATED.not_a_real_secret.00000'

/** A plain string is a secret that never expires. */
export function readSecrets(secrets: readonly (string | ClientSecret)[]): ClientSecret[] {
  return secrets.map((secret) => (typeof secret === 'string' ? { value: secret } : { ...secret }))
}

export const defaultRedirectUris = [
  'http://localhost/auth/oauth2/microsoft/callback',
  'http://127.0.0.1/auth/oauth2/microsoft/callback',
]

const loopback = /^(http:\/\/(?:localhost|127\.0\.0\.1)):\d+/

/** Exact and case-sensitive; only for http on localhost the port is ignored (docs/microsoft.md#redirect-uris). */
export function isRegistered(app: Application, redirectUri: string): boolean {
  const portless = redirectUri.replace(loopback, '$1')
  return app.redirectUris.some(
    (uri) => uri === redirectUri || (portless !== redirectUri && uri.replace(loopback, '$1') === portless),
  )
}

/** The registered certificate with this thumbprint, or undefined. `hash` sha256 is x5t#S256, sha1 is x5t; base64url. */
export function findCertificate(
  app: Application,
  hash: 'sha256' | 'sha1',
  thumbprint: string,
): X509Certificate | undefined {
  return app.certificates
    .map((pem) => new X509Certificate(pem))
    .find((certificate) => createHash(hash).update(certificate.raw).digest('base64url') === thumbprint)
}
