/** What msal-node stores for a user, taken from a real sign-in at the simulator. */
import { rootCertificates, setDefaultCACertificates } from 'node:tls'
import { ConfidentialClientApplication } from '@azure/msal-node'
import { crowd } from '../../sandbox/entra/accounts.ts'
import { localhostCertificate } from '../../sandbox/entra/certificate.ts'
import { startEntra } from '../../sandbox/entra/main.ts'

export interface PeerSettings {
  auth: {
    clientId: string
    clientSecret: string
    authority: string
    knownAuthorities: string[]
    cloudDiscoveryMetadata: string
    authorityMetadata: string
  }
  scopes: string[]
}

export interface PeerCache {
  settings: PeerSettings
  /** The value in the cache of a user with these tokens, which are valid for a day. */
  valueOf(accessToken: string, refreshToken: string): string
}

const REDIRECT_URI = 'https://audits.example.com/auth/oauth2/microsoft/callback'

export async function makePeerCache(): Promise<PeerCache> {
  const [account] = crowd(1)
  // MSAL refuses http.
  const tls = localhostCertificate()
  setDefaultCACertificates([...rootCertificates, tls.cert])
  const entra = await startEntra({ accounts: crowd(1), tls, host: 'localhost', redirectUris: [REDIRECT_URI] })
  try {
    const { host } = new URL(entra.url)
    const scopes = ['User.Read', 'Files.ReadWrite.All']
    const auth = {
      clientId: entra.clientId,
      clientSecret: entra.clientSecret,
      authority: `${entra.url}/organizations`,
      knownAuthorities: [host],
    }
    const client = new ConfidentialClientApplication({ auth })
    const authorizeUrl = await client.getAuthCodeUrl({ scopes, redirectUri: REDIRECT_URI })
    const callback = new URL(entra.control.signIn({ account: account!.username, authorizeUrl }))
    const { accessToken } = await client.acquireTokenByCode({
      code: callback.searchParams.get('code') ?? '',
      scopes,
      redirectUri: REDIRECT_URI,
    })
    const stored = JSON.parse(client.getTokenCache().serialize()) as Record<string, Record<string, Stored>>
    const tokens = Object.values(stored['AccessToken']!).find(({ secret }) => secret === accessToken)!
    const refresh = Object.values(stored['RefreshToken']!)[0]!
    const tomorrow = String(Math.floor(Date.now() / 1000) + 86_400)
    for (const name of ['expires_on', 'extended_expires_on', 'expiresOn', 'extendedExpiresOn'])
      if (tokens[name] !== undefined) tokens[name] = tomorrow
    delete tokens['refresh_on']
    delete tokens['refreshOn']
    const metadata = await fetch(`${entra.url}/organizations/v2.0/.well-known/openid-configuration`)
    return {
      settings: {
        auth: {
          ...auth,
          cloudDiscoveryMetadata: JSON.stringify({
            tenant_discovery_endpoint: `${entra.url}/organizations/v2.0/.well-known/openid-configuration`,
            metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
          }),
          authorityMetadata: await metadata.text(),
        },
        scopes,
      },
      valueOf(accessToken, refreshToken) {
        tokens.secret = accessToken
        refresh.secret = refreshToken
        return JSON.stringify(stored)
      },
    }
  } finally {
    await entra.close()
  }
}

type Stored = Record<string, unknown> & { secret: string }
