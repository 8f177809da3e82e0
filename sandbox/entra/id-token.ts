/** RS256 id tokens with the claims of docs/microsoft.md#id-token, and their wrong variants. */
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Account } from './accounts.ts'
import { isPersonal } from './accounts.ts'
import type { IdTokenFault } from './misbehaviour.ts'
import type { World } from './world.ts'

export interface IdTokenFacts {
  account: Account
  profile: boolean
  email: boolean
  /** Only the code grant has one. */
  nonce?: string | undefined
  fault?: IdTokenFault | undefined
}

const strangerId = '0bad0bad-0bad-4bad-8bad-0bad0bad0bad'
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
let strangerKey: KeyObject | undefined

/** Signing costs more than all the rest of a refresh, so an account's token is reused for a minute where it may be. */
const cacheFor = 60_000
const caches = new WeakMap<World, Map<string, { token: string; at: number }>>()

export async function issueIdToken(world: World, facts: IdTokenFacts): Promise<string | undefined> {
  if (facts.fault === 'missing') return undefined
  if (facts.fault === 'garbage') return 'not.a.token'
  if (facts.nonce !== undefined || facts.fault) return make(world, facts)
  let cache = caches.get(world)
  if (!cache || cache.size > 20_000) caches.set(world, (cache = new Map()))
  const key = `${facts.account.objectId} ${facts.profile} ${facts.email} ${world.keys.rolled()} ${world.app.clientId} ${world.settings.loginHintClaim}`
  const now = world.clock.now()
  const known = cache.get(key)
  if (known && now >= known.at && now - known.at < cacheFor) return known.token
  const token = await make(world, facts)
  cache.set(key, { token, at: now })
  return token
}

/** Opaque for applications, and the same after the account was renamed. */
export function loginHintOf(account: Account): string {
  return `O.${Buffer.from(account.objectId).toString('base64')}`
}

/** The name or id of the account that a hint stands for; a hint may be a user name. */
export function usernameInHint(hint: string): string {
  return hint.startsWith('O.') ? Buffer.from(hint.slice(2), 'base64').toString() : hint
}

/** Pairwise: another one for each application. */
function subject(account: Account, clientId: string): string {
  return createHash('sha256').update(`${account.objectId} ${clientId}`).digest('base64url')
}

async function make(world: World, { account, profile, email, nonce, fault }: IdTokenFacts): Promise<string> {
  const key = await world.keys.current(isPersonal(account) ? 'personal' : 'work')
  const now = Math.floor(world.clock.now() / 1000)
  const tid = fault === 'wrong_tid' ? strangerId : account.tenantId
  const shift = fault === 'expired' ? -7200 : fault === 'not_yet_valid' ? 7200 : 0
  const payload = {
    aud: fault === 'wrong_aud' ? strangerId : world.app.clientId,
    iss: fault === 'wrong_iss' ? `https://login.attacker.example/${tid}/v2.0` : `${world.url}/${tid}/v2.0`,
    // Backdated by five minutes, as Entra does.
    iat: now - 300 + shift,
    nbf: now - 300 + shift,
    exp: now + 3600 + shift,
    ...(email && { email: account.username }),
    ...(world.settings.loginHintClaim && { login_hint: loginHintOf(account) }),
    ...(profile && { name: account.displayName }),
    ...(nonce !== undefined && fault !== 'no_nonce' && { nonce: fault === 'wrong_nonce' ? 'another-nonce' : nonce }),
    ...(profile && {
      oid: fault === 'wrong_oid' ? strangerId : account.objectId,
      preferred_username: account.username,
    }),
    rh: '1.AXkASIMULATED.',
    sid: randomUUID(),
    sub: subject(account, world.app.clientId),
    tid,
    uti: randomUUID().slice(0, 22),
    ver: '2.0',
    xms_simulated: true,
  }
  const kid = fault === 'unknown_key' ? 'unpublished' : key.kid
  const header = fault === 'alg_none' ? { typ: 'JWT', alg: 'none' } : { typ: 'JWT', alg: 'RS256', kid }
  const text = `${encode(header)}.${encode(payload)}`
  if (fault === 'alg_none') return `${text}.`
  if (fault === 'unknown_key') strangerKey ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const signature = sign(
    'sha256',
    Buffer.from(text),
    fault === 'unknown_key' && strangerKey ? strangerKey : key.privateKey,
  )
  if (fault === 'bad_signature') signature[10] = (signature[10] ?? 0) ^ 1
  return `${text}.${signature.toString('base64url')}`
}
