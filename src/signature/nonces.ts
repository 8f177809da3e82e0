// Replay protection within one replica (docs/design.md#replay): remembers each nonce for as long as a request with it
// could be accepted. Memory is bounded: 8 bytes for each nonce, in two tables that are rotated. This file depends
// neither on requests nor on the database.
import { hash } from 'node:crypto'
import { ACCEPTED_FOR_MS } from './profile.ts'

/**
 * SHA-256 over keyid, 0, nonce: what the table that all replicas share stores. The bytes of the signature are not part
 * of it.
 */
export function replayKey(keyId: string, nonce: string): Buffer {
  return hash('sha256', `${keyId}\0${nonce}`, 'buffer')
}

/** In one table. Two tables take 16 MB. */
export const NONCES_REMEMBERED = 500_000

export interface NonceMemoryOptions {
  /** Random text of this process, so that nobody can make two nonces collide on purpose */
  readonly secret: string
  /** Nonces per table. Further requests are refused until the tables rotate. Default: NONCES_REMEMBERED. */
  readonly capacity?: number
}

/**
 * Remembers a nonce for at least as long as a request with it can be accepted (70 s), at most twice that. A nonce is
 * kept as a keyed 64-bit hash. The probability that any two of a million nonces collide is about 10^-8.
 */
export class NonceMemory {
  readonly #secret: string
  readonly #capacity: number
  #current: HashTable
  #previous: HashTable
  #since = Number.NEGATIVE_INFINITY

  constructor(options: NonceMemoryOptions) {
    this.#secret = options.secret
    this.#capacity = options.capacity ?? NONCES_REMEMBERED
    this.#current = new HashTable(this.#capacity)
    this.#previous = new HashTable(this.#capacity)
  }

  /**
   * Remembers a nonce. `nowMs`: the same time that the freshness of the request was judged by. `full`: the table is
   * full, and the nonce was not remembered.
   */
  remember(keyId: string, nonce: string, nowMs: number): 'new' | 'replayed' | 'full' {
    this.#rotate(nowMs)
    const digest = hash('sha256', `${this.#secret}\0${keyId}\0${nonce}`, 'hex')
    const high = Number.parseInt(digest.slice(0, 8), 16)
    const low = Number.parseInt(digest.slice(8, 16), 16) || 1 // 0,0 means: free slot
    if (this.#previous.has(high, low) || this.#current.has(high, low)) return 'replayed'
    if (this.#current.size >= this.#capacity) return 'full'
    this.#current.add(high, low)
    return 'new'
  }

  /** How many nonces are held now. */
  get size(): number {
    return this.#current.size + this.#previous.size
  }

  #rotate(nowMs: number): void {
    // If the clock is set back, old requests become acceptable again, so the tables are kept until the clock has caught
    // up. But wait at most one window, or the tables fill up and every request is refused.
    this.#since = Math.min(this.#since, nowMs + ACCEPTED_FOR_MS)
    const age = nowMs - this.#since
    if (age < ACCEPTED_FOR_MS) return
    const emptied = this.#previous
    this.#previous = this.#current
    this.#current = emptied
    this.#current.clear()
    if (age >= 2 * ACCEPTED_FOR_MS) this.#previous.clear()
    this.#since = nowMs
  }
}

/** Open addressing with linear probing over pairs of 32-bit halves, never more than half full. */
class HashTable {
  readonly #slots: Uint32Array
  readonly #mask: number
  size = 0

  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(2 * capacity))
    this.#slots = new Uint32Array(2 * slots)
    this.#mask = slots - 1
  }

  has(high: number, low: number): boolean {
    return this.#slots[2 * this.#find(high, low) + 1] !== 0
  }

  add(high: number, low: number): void {
    const slot = this.#find(high, low)
    this.#slots[2 * slot] = high
    this.#slots[2 * slot + 1] = low
    this.size++
  }

  clear(): void {
    if (this.size > 0) this.#slots.fill(0)
    this.size = 0
  }

  /** The slot that holds the pair, or the free one where it belongs. */
  #find(high: number, low: number): number {
    let slot = high & this.#mask
    while (this.#slots[2 * slot + 1] !== 0 && !(this.#slots[2 * slot] === high && this.#slots[2 * slot + 1] === low)) {
      slot = (slot + 1) & this.#mask
    }
    return slot
  }
}
