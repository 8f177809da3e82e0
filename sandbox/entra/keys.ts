/**
 * The signing keys of the id tokens, published as JWKS. One key for organisations, one for personal accounts, as at
 * Microsoft.
 */
import { createHash, createPublicKey, generateKeyPair } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { personalTenantId } from './accounts.ts'
import { selfSignedCertificate } from './certificate.ts'

export interface SigningKey {
  kid: string
  privateKey: KeyObject
  certificate: Buffer
}

export type KeyFamily = 'work' | 'personal'

const generate = promisify(generateKeyPair)
const year = 365 * 24 * 3600 * 1000

async function newKey(): Promise<SigningKey> {
  const { privateKey } = await generate('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(privateKey)
  const now = Date.now()
  const facts = {
    commonName: 'SIMULATED accounts.accesscontrol.example',
    notBefore: now - year,
    notAfter: now + 4 * year,
  }
  const certificate = selfSignedCertificate({ publicKey, privateKey }, facts)
  return { kid: createHash('sha1').update(certificate).digest('base64url'), privateKey, certificate }
}

/**
 * RSA keys take up to a second to find: made when first needed, and once per process, since tests start many
 * simulators.
 */
const first: Partial<Record<KeyFamily, Promise<SigningKey>>> = {}

export interface KeyRing {
  current(family: KeyFamily): Promise<SigningKey>
  /**
   * Later tokens are signed with new keys. The old ones stay published unless `drop`: Microsoft rolls without notice.
   */
  roll(options: { drop: boolean }): void
  rolled(): number
  /** The body of `/discovery/v2.0/keys`; `baseUrl` has no slash at its end. */
  jwks(baseUrl: string): Promise<{ keys: object[] }>
}

export function createKeyRing(): KeyRing {
  const families: Record<KeyFamily, (Promise<SigningKey> | undefined)[]> = { work: [undefined], personal: [undefined] }
  let rolls = 0

  function at(family: KeyFamily, index: number): Promise<SigningKey> {
    const own = families[family]
    return (own[index] ??= rolls === 0 ? (first[family] ??= newKey()) : newKey())
  }

  return {
    current: (family) => at(family, families[family].length - 1),
    roll({ drop }) {
      for (const family of ['work', 'personal'] as const) {
        const old = at(family, families[family].length - 1)
        families[family] = drop ? [undefined] : [old, undefined]
      }
      rolls += 1
    },
    rolled: () => rolls,
    async jwks(baseUrl) {
      const keys: object[] = []
      for (const family of ['work', 'personal'] as const) {
        const issuer = `${baseUrl}/${family === 'work' ? '{tenantid}' : personalTenantId}/v2.0`
        for (let i = 0; i < families[family].length; i++) {
          const key = await at(family, i)
          const { n, e } = createPublicKey(key.privateKey).export({ format: 'jwk' })
          keys.push({
            kty: 'RSA',
            use: 'sig',
            kid: key.kid,
            x5t: key.kid,
            n,
            e,
            x5c: [key.certificate.toString('base64')],
            issuer,
          })
        }
      }
      return { keys }
    },
  }
}
