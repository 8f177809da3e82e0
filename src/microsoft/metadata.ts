import type { Clock } from '../core/ports.ts'
import type { Answer } from './answer.ts'
import { isGuid, readObject } from './answer.ts'
import type { Sent } from './exchange.ts'
import { importSigningKey } from './id-token.ts'
import type { SigningKey } from './id-token.ts'

/** Microsoft's own word on issuer and keys (OpenID Connect Discovery 1.0, entra.md 1.1). */
export interface Metadata {
  /** May hold the literal `{tenantid}`. */
  issuer: string
  authorizationEndpoint: string
  tokenEndpoint: string
  /** By key id. */
  keys: ReadonlyMap<string, SigningKey>
  /** Microsoft's clock minus ours, in milliseconds, as the answer's Date says (whole seconds). */
  clockOffset?: number
}

export interface MetadataSource {
  /** The cached metadata if there is any younger than a day, else a fresh one. Undefined: none to be had now. */
  get(): Promise<Metadata | undefined>
  /** As `get`, but newer when it does not know this key and the last fetch is long enough ago. */
  withKey(keyId: string): Promise<Metadata | undefined>
  /** Always fetches: for `doctor`. */
  fetch(): Promise<Metadata | undefined>
}

/** Milliseconds: Microsoft rolls keys without notice and asks to look at least daily (entra.md 1.1). */
const MAX_AGE = 86_400_000
/** Milliseconds between fetches for unknown keys, so that forged key ids cannot make us hammer Microsoft. */
const MIN_INTERVAL = 60_000

/** `fetchOne` GETs one URL; `loginUrl` without a trailing slash. One fetch at a time, shared by all who wait. */
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
    } = discovery.fields
    // Metadata that names another origin would let it choose whose signatures we believe (ASVS 10.5.3).
    if (!isOurs(issuer) || !isOurs(jwksUri) || !isOurs(authorizationEndpoint) || !isOurs(tokenEndpoint))
      return undefined
    if (!isIssuer(issuer)) return undefined
    const jwks = await fetchObject(jwksUri)
    const keys = jwks && readKeys(jwks.fields['keys'])
    if (!keys?.size) return undefined
    const date = Date.parse(String(discovery.answer.headers['date']))
    const metadata = {
      issuer,
      authorizationEndpoint,
      tokenEndpoint,
      keys,
      ...(!Number.isNaN(date) && { clockOffset: date - clock.now() }),
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

  const isOurs = (url: unknown): url is string =>
    typeof url === 'string' && URL.canParse(url) && new URL(url).origin === new URL(loginUrl).origin

  const isIssuer = (issuer: string): boolean => {
    const segment = issuer.slice(loginUrl.length + 1, -'/v2.0'.length)
    return issuer === `${loginUrl}/${segment}/v2.0` && (segment === '{tenantid}' || isGuid(segment))
  }

  const fetch = (): Promise<Metadata | undefined> => (flight ??= load().finally(() => (flight = undefined)))
  // An old word of Microsoft is better than none: its keys stay good for days.
  const fetchOrOld = async (): Promise<Metadata | undefined> => (await fetch()) ?? cached?.metadata

  return {
    fetch,
    async get() {
      return cached && clock.elapsed() - cached.at < MAX_AGE ? cached.metadata : fetchOrOld()
    },
    async withKey(keyId) {
      const metadata = await this.get()
      if (!metadata || metadata.keys.has(keyId) || clock.elapsed() - triedAt < MIN_INTERVAL) return metadata
      return fetchOrOld()
    },
  }
}

function readKeys(list: unknown): Map<string, SigningKey> {
  const keys = new Map<string, SigningKey>()
  for (const jwk of Array.isArray(list) ? list.slice(0, 100) : []) {
    const key = typeof jwk === 'object' && jwk !== null ? importSigningKey(jwk) : undefined
    if (key && typeof jwk.kid === 'string') keys.set(jwk.kid, key)
  }
  return keys
}
