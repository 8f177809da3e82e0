// Replay protection within one replica (design 3): which nonces were seen while a request that carries one could still
// be accepted. Bounded: 8 bytes per nonce in two tables that take turns. Nothing here knows requests or the database.
import { hash } from 'node:crypto'
import { ACCEPTED_FOR_MS } from './profile.ts'

/** SHA-256 over keyid, 0, nonce: what the table shared by all replicas stores. Never made of the signature's bytes. */
export function replayKey(keyId: string, nonce: string): Buffer {
  return hash('sha256', `${keyId}\0${nonce}`, 'buffer')
}

/** In one table: two of them take 16 MB. */
export const NONCES_REMEMBERED = 500_000

export interface NonceMemoryOptions {
  /** Random text of this process, so that nobody outside can make two nonces collide */
  readonly secret: string
  /** Nonces remembered per table; a request beyond it is refused. Default NONCES_REMEMBERED. */
  readonly capacity?: number
}

/**
 * Remembers nonces for at least as long as a request that carries one can be accepted (70 s), at most twice that. A nonce
 * is kept as a keyed 64-bit hash; two of a million colliding by chance has a probability of about 10^-8.
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

  /** Notes a nonce. `nowMs` is the time that the request's freshness was judged with. At the cap: `full`, nothing noted. */
  remember(keyId: string, nonce: string, nowMs: number): 'new' | 'replayed' | 'full' {
    this.#rotate(nowMs)
    const digest = hash('sha256', `${this.#secret}\0${keyId}\0${nonce}`, 'hex')
    const high = Number.parseInt(digest.slice(0, 8), 16)
    const low = Number.parseInt(digest.slice(8, 16), 16) || 1 // 0,0 marks a free slot
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
    // A clock set back makes old requests acceptable again, so the tables wait until it has caught up. Beyond the time that they answer for
    // anyhow they do not: they would be full, and everybody refused, until it has.
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
