import { DEFAULT_SCOPES } from '../../src/core/microsoft-permissions.ts'
import { createHash, randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates, setDefaultCACertificates } from 'node:tls'
import { localhostCertificate } from '../../sandbox/entra/certificate.ts'
import { createMicrosoft, type MicrosoftClient } from '../../src/microsoft/client.ts'
import { systemClock, systemRandom } from '../../src/services.ts'
import { startEntra, type Entra } from '../../sandbox/entra/main.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'

// What the independent tests share: the simulator over TLS, because MSAL refuses http.

export const REDIRECT_URI = 'https://audits.example.com/auth/oauth2/microsoft/callback'
export const JANE = 'jane@contoso.com'
export const SCOPES = ['User.Read', 'Files.ReadWrite.All']
/** Microsoft's documentation spells it so; it has no case. */
export const CP1 = 'CP1'

export const tls = localhostCertificate()
setDefaultCACertificates([...rootCertificates, tls.cert])

type Test = { teardown(end: () => unknown): unknown }

export async function startMicrosoft(t: Test): Promise<Entra> {
  const entra = await startEntra({ tls, host: 'localhost', redirectUris: [REDIRECT_URI] })
  t.teardown(() => entra.close())
  return entra
}

/** The broker's own client of Microsoft, to compare its requests. */
export function brokerClient(t: Test, entra: Entra, continuousAccessEvaluation: boolean): MicrosoftClient {
  const client = createMicrosoft({
    loginUrl: entra.url,
    tenant: 'organizations',
    allowedTenants: [],
    clientId: entra.clientId,
    redirectUri: REDIRECT_URI,
    permissions: DEFAULT_SCOPES,
    credentials: [{ kind: 'secret', secret: entra.clientSecret }],
    continuousAccessEvaluation,
    clock: systemClock,
    random: systemRandom,
  })
  t.teardown(() => client.close())
  return client
}

/** `claims` of what the broker sends with this challenge: to the authorize endpoint, and with a refresh. */
export async function claimsOfBroker(t: Test, entra: Entra, challenge?: string) {
  const client = brokerClient(t, entra, true)
  const claims = challenge === undefined ? {} : { claims: challenge }
  const request = { state: 's', nonce: 'n', codeChallenge: pkce().challenge, ...claims }
  const authorize = new URL(client.authorizeUrl(request)).searchParams.get('claims')
  const refreshToken = entra.control.issueRefreshToken({ account: JANE })
  const permit = await client.admit()
  if ('retryAfterSeconds' in permit) throw new Error('the breaker is open')
  const verdict = await client.refresh({ refreshToken, scopes: SCOPES, requestId: 'test', ...claims }, permit)
  if (verdict.kind !== 'tokens') throw new Error(`refused: ${verdict.reason}`)
  return { authorize, token: entra.control.tokenRequests().recent.at(-1)?.values['claims'] }
}

/** A file with the certificate, for clients that are not in this process. */
export function certificateFile(t: Test): string {
  const folder = temporaryFolder('token-broker-independent')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'microsoft.pem')
  writeFileSync(file, tls.cert)
  return file
}

/** A verifier and its challenge (RFC 7636 section 4). */
export function pkce(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}
