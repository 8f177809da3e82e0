/** Everything one simulator remembers. Made once per startEntra(); handed to every part. Forgotten at close. */
import type { Account, Directory } from './accounts.ts'
import type { Application } from './application.ts'
import type { CodeBook } from './codes.ts'
import { createConsents } from './consents.ts'
import type { Consents } from './consents.ts'
import type { Counters } from './counters.ts'
import type { Drives } from './drive.ts'
import type { Gate } from './gate.ts'
import type { KeyRing } from './keys.ts'
import type { MisbehaviourBoard } from './misbehaviour.ts'
import type { Policies } from './policies.ts'
import type { Random } from './random.ts'
import type { RefreshTokenUses } from './refresh-tokens.ts'
import type { Sealer } from './seal.ts'

export interface Settings {
  /**
   * What happens to a refresh token when it is used: stays valid (Entra), dies, or stays and no new one is returned.
   */
  rotation: 'entra' | 'strict' | 'none_returned'
  /** Seconds an access token lives; null draws 3600 to 5399 from the seed, as Entra does. */
  lifetime: number | null
  /** After this many identical token requests in 5 minutes: AADSTS50196. 0: never. Entra's own number is 15. */
  loopAfter: number
  /** Whether id tokens have the optional claim `login_hint`. */
  loginHintClaim: boolean
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  advance(seconds: number): void
}

export interface World {
  /** The protocol listener's origin, without a slash at the end. */
  url: string
  seed: number
  random: Random
  clock: Clock
  sleep: (ms: number) => Promise<void>
  app: Application
  /** The same world for each further registration, by its client id: its own application and consents. */
  otherApps: Map<string, World>
  directory: Directory
  settings: Settings
  consents: Consents
  codes: CodeBook
  keys: KeyRing
  sealer: Sealer
  board: MisbehaviourBoard
  gates: { before: Gate; after: Gate; hang: Gate }
  counters: Counters
  revocations: Revocations
  policies: Policies
  drives: Drives
  refreshTokenUses: RefreshTokenUses
}

/** The world as the application with this client id meets it. Undefined: there is no such registration. */
export function worldOf(world: World, clientId: string | undefined): World | undefined {
  return clientId === world.app.clientId ? world : world.otherApps.get(clientId ?? '')
}

/** Registers a further application. */
export function registerApp(world: World, app: Application): void {
  const own: World = Object.create(world, { app: { value: app }, consents: { value: createConsents() } })
  world.otherApps.set(app.clientId, own)
}

/** "Revoke sessions": ordered by count, not by time, so that it also works when the clock stands still. */
export interface Revocations {
  /** How often this account's sessions were revoked; tokens carry the number at their birth. */
  epoch(account: Account): number
  /** Milliseconds; 0 when never. */
  validFrom(account: Account): number
  revoke(account: Account, at: number): void
  /** How often all access tokens were declared expired. */
  accessTokenEpoch(): number
  expireAccessTokens(): void
}

export function createRevocations(): Revocations {
  const byAccount = new Map<string, { epoch: number; at: number }>()
  let accessTokens = 0
  return {
    epoch: (account) => byAccount.get(account.objectId)?.epoch ?? 0,
    validFrom: (account) => byAccount.get(account.objectId)?.at ?? 0,
    revoke(account, at) {
      byAccount.set(account.objectId, { epoch: this.epoch(account) + 1, at })
    },
    accessTokenEpoch: () => accessTokens,
    expireAccessTokens: () => {
      accessTokens += 1
    },
  }
}

export function createClock(now: () => number): Clock {
  let shift = 0
  return {
    now: () => now() + shift,
    advance(seconds) {
      shift += seconds * 1000
    },
  }
}
