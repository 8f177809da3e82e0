import type { Clock } from '../core/ports.ts'
import type { Answer } from './answer.ts'
import { isGuid, readObject } from './answer.ts'
import { isOnLoginHost } from './clouds.ts'
import type { Sent } from './exchange.ts'
import { readSigningKeys } from './id-token.ts'
import type { SigningKeys } from './id-token.ts'

/** Microsoft's published issuer and keys (OpenID Connect Discovery 1.0, docs/microsoft.md#endpoints). */
export interface Metadata {
  /** May hold the literal `{tenantid}`. */
  issuer: string
  authorizationEndpoint: string
  tokenEndpoint: string
  keys: SigningKeys
  /** Host of Microsoft Graph in this cloud, as Microsoft names it. */
  graphHost?: string
  /** Microsoft's clock minus ours, as the answer's Date says (whole seconds). */
  clockOffsetMs?: number
}

export interface MetadataSource {
  /** The cached metadata if it is younger than a day, else a fresh one. Undefined: Microsoft did not give any. */
  get(): Promise<Metadata | undefined>
  /** As `get`, but newer when it does not know this key and the last fetch is long enough ago. */
  withKey(keyId: string): Promise<Metadata | undefined>
  /** Always fetches: for `doctor`. */
  fetch(): Promise<Metadata | undefined>
}

/** Microsoft rolls keys without notice and asks to look at least daily (docs/microsoft.md#id-token). */
const MAX_AGE_MS = 86_400_000
/** Between fetches for unknown keys, so that forged key ids cannot make us send many requests to Microsoft. */
const MIN_INTERVAL_MS = 60_000
const HOST = /^[a-z0-9.-]{1,253}$/

/**
 * `fetchOne` GETs one URL; `loginUrl` without a trailing slash. One fetch at a time, shared by all who wait. jose's own
 * remote key set is not used: it keeps time by `Date`, and its requests would have neither our size limit nor our
 * proxy.
 */
export function createMetadataSource(options: {
  loginUrl: string
  tenant: string
  clock: Clock
  fetchOne: (url: string) => Promise<Sent>
}): MetadataSource {
  const { loginUrl, tenant, clock, fetchOne } = options
  let cached: { metadata: Metadata; at: number } | undefined
  let triedAt = -Infinity
  let flight: Promise<Metadata | undefined> | undefined

  const load = async (): Promise<Metadata | undefined> => {
    triedAt = clock.elapsed()
    const discovery = await fetchObject(`${loginUrl}/${tenant}/v2.0/.well-known/openid-configuration`)
    if (!discovery) return undefined
    const {
      issuer,
      jwks_uri: jwksUri,
      authorization_endpoint: authorizationEndpoint,
      token_endpoint: tokenEndpoint,
      msgraph_host: graphHost,
    } = discovery.fields
    // Metadata that names another origin would let that origin choose whose signatures we believe (OWASP ASVS 5.0,
    // 10.5.3).
    if (!isOurs(issuer) || !isOurs(jwksUri) || !isOurs(authorizationEndpoint) || !isOurs(tokenEndpoint))
      return undefined
    if (!isIssuer(issuer)) return undefined
    const jwks = await fetchObject(jwksUri)
    const keys = jwks && readSigningKeys(jwks.fields['keys'])
    if (!keys) return undefined
    const date = Date.parse(String(discovery.answer.headers['date']))
    const metadata = {
      issuer,
      authorizationEndpoint,
      tokenEndpoint,
      keys,
      ...(typeof graphHost === 'string' && HOST.test(graphHost) && { graphHost }),
      ...(!Number.isNaN(date) && { clockOffsetMs: date - clock.now() }),
    }
    cached = { metadata, at: clock.elapsed() }
    return metadata
  }

  const fetchObject = async (url: string): Promise<{ answer: Answer; fields: Record<string, unknown> } | undefined> => {
    const sent = await fetchOne(url)
    if (!('answer' in sent) || sent.answer.status !== 200) return undefined
    const fields = readObject(sent.answer.body)
    return fields && { answer: sent.answer, fields }
  }

  const isOurs = (url: unknown): url is string => typeof url === 'string' && isOnLoginHost(url, loginUrl)

  const isIssuer = (issuer: string): boolean => {
    const { origin } = new URL(issuer)
    const segment = issuer.slice(origin.length + 1, -'/v2.0'.length)
    return issuer === `${origin}/${segment}/v2.0` && (segment === '{tenantid}' || isGuid(segment))
  }

  const fetch = (): Promise<Metadata | undefined> => (flight ??= load().finally(() => (flight = undefined)))
  // Old metadata is better than none: Microsoft's keys stay good for days.
  const fetchOrOld = async (): Promise<Metadata | undefined> => (await fetch()) ?? cached?.metadata

  return {
    fetch,
    async get() {
      return cached && clock.elapsed() - cached.at < MAX_AGE_MS ? cached.metadata : fetchOrOld()
    },
    async withKey(keyId) {
      const metadata = await this.get()
      if (!metadata || metadata.keys.has(keyId) || clock.elapsed() - triedAt < MIN_INTERVAL_MS) return metadata
      return fetchOrOld()
    },
  }
}
