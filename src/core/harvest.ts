import { createSecretKey, type KeyObject } from 'node:crypto'
import type { FreezeStore } from './freeze.ts'
import { hmacSha256 } from './hmac.ts'
import { addHash, SKETCH_BYTES } from './user-sketch.ts'

// The harvest alarm (docs/design.md#harvest-alarm): a stolen caller key shows itself by the number of different users
// that it reads. Counted in memory for each key, merged into the database every ten seconds.

/** Milliseconds between two merges. */
export const MERGE_MS = 10_000
/** The limit is never lower, unless it is configured. */
export const MIN_LIMIT_USERS = 500
/** The limit without configuration: so many times the busiest hour of the last 14 days. */
const OVER_BUSIEST = 1.5

/** One key in the present hour, over all replicas. */
export interface KeyUse {
  keyId: string
  users: number
  /** Of one hour in the last 14 days, this one left out. 0: there is none. */
  busiest: number
}

export interface KeyUseStore {
  /** The key that makes hashes of user ids. All replicas have the same. */
  sketchKey(): Promise<string>
  /** Every key of the present hour. Writes nothing. */
  present(): Promise<KeyUse[]>
  /** Merges sketches into the present hour by Postgres' clock. Resolves with every key of this hour. */
  merge(sketches: ReadonlyMap<string, Uint8Array>): Promise<KeyUse[]>
}

/** Users in an hour above which there is an alarm. */
export const harvestLimit = (busiest: number, configured: number | undefined): number =>
  configured ?? Math.max(MIN_LIMIT_USERS, Math.ceil(busiest * OVER_BUSIEST))

export interface HarvestAlarm {
  /** A token of this user is asked for with this key. Does not wait. */
  asked(keyId: string, userId: string): void
  /** Merges what was counted. Never rejects. */
  merge(): Promise<void>
  /** As it was at the last merge. Key ids come from the callers file. */
  state(): readonly (KeyUse & { limit: number })[]
}

export interface HarvestPorts {
  store: KeyUseStore
  freezes: Pick<FreezeStore, 'freeze' | 'isKeyFrozen'>
  /** Users in an hour; absent: derived from the busiest hour. */
  alertAbove?: number
  /** Users in an hour above which a key is frozen; absent: never. */
  freezeAbove?: number
  /** Called once an hour for each key that is above its limit, for each that was frozen, and for a failed merge. */
  observe(
    event:
      | { kind: 'above'; keyId: string; users: number; limit: number }
      | { kind: 'frozen'; keyId: string; users: number }
      | { kind: 'merge_failed'; err: unknown },
  ): void
}

export function createHarvestAlarm({ store, freezes, alertAbove, freezeAbove, observe }: HarvestPorts): HarvestAlarm {
  /** Keys come from the callers file, so this stays small. Users of the time before the key was known wait by id. */
  let counted = new Map<string, Uint8Array>()
  let waiting = new Map<string, Set<string>>()
  let sketchKey: KeyObject | undefined
  let uses: readonly (KeyUse & { limit: number })[] = []
  /** Keys that were reported while they are above. */
  const reported = new Set<string>()
  /** Keys that were frozen while they are above: who lifts the freeze is not overruled ten seconds later. */
  const handled = new Set<string>()

  function count(keyId: string, userId: string, key: KeyObject): void {
    let sketch = counted.get(keyId)
    if (sketch === undefined) counted.set(keyId, (sketch = new Uint8Array(SKETCH_BYTES)))
    const hash = hmacSha256(key, userId, 'buffer')
    addHash(sketch, hash.readUInt32BE(0), hash.readUInt32BE(4))
  }

  async function judge({ keyId, users, limit }: KeyUse & { limit: number }): Promise<void> {
    if (users <= limit) reported.delete(keyId)
    else if (!reported.has(keyId)) {
      reported.add(keyId)
      observe({ kind: 'above', keyId, users, limit })
    }
    if (freezeAbove === undefined) return
    if (users <= freezeAbove) return void handled.delete(keyId)
    if (handled.has(keyId)) return
    if (await freezes.isKeyFrozen(keyId)) return void handled.add(keyId)
    const { created } = await freezes.freeze({
      scope: 'caller_key',
      value: keyId,
      reason: `harvest alarm: ${users} different users in an hour, HARVEST_FREEZE_ABOVE is ${freezeAbove}`,
      caller: 'broker',
    })
    handled.add(keyId)
    if (created) observe({ kind: 'frozen', keyId, users })
  }

  return {
    asked(keyId, userId) {
      if (sketchKey !== undefined) return count(keyId, userId, sketchKey)
      const users = waiting.get(keyId) ?? new Set()
      waiting.set(keyId, users)
      if (users.size < MAX_WAITING) users.add(userId)
    },
    async merge() {
      let sent = new Map<string, Uint8Array>()
      try {
        sketchKey ??= createSecretKey(await store.sketchKey(), 'utf8')
        for (const [keyId, users] of waiting) for (const userId of users) count(keyId, userId, sketchKey)
        waiting = new Map()
        sent = counted
        counted = new Map()
        uses = (await store.merge(sent)).map((use) => ({ ...use, limit: harvestLimit(use.busiest, alertAbove) }))
        for (const use of uses) await judge(use)
      } catch (err) {
        // What was not merged is counted again with the next merge.
        for (const [keyId, sketch] of sent) {
          const now = counted.get(keyId)
          if (now === undefined) counted.set(keyId, sketch)
          else for (let i = 0; i < SKETCH_BYTES; i++) now[i] = Math.max(now[i]!, sketch[i]!)
        }
        observe({ kind: 'merge_failed', err })
      }
    },
    state: () => uses,
  }
}

/** User ids of one key that wait until the sketch key is known: seconds after the start. */
const MAX_WAITING = 10_000
