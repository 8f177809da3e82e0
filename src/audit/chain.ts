import type { KeyObject } from 'node:crypto'
import { AUDIT_VERSION, type AuditFacts, type AuditKey } from '../core/audit.ts'

// The form of audit lines, and their chain (docs/design.md#audit). A line is one JSON object whose last member is its
// MAC. The MAC is over the text of the line before that member, so that no canonical form of JSON is needed. `prev` is
// the MAC of the line before it.

/** Characters of a MAC in a line: the first 128 bits of HMAC-SHA-256 (RFC 2104 section 5) in base64. */
export const MAC_CHARACTERS = 22
/** A line has fewer bytes than this: a write of it to a pipe is whole (PIPE_BUF), and no shipper splits it. */
export const MAX_LINE_BYTES = 4_096
/** Prefix of a line's text before its MAC, and of the MAC under a second key. */
export const MAC_MEMBER = ',"mac":"'

/** HMAC-SHA-256 in base64. */
export type Mac = (key: KeyObject, text: string) => string

export interface AuditLine {
  /** With its line break. */
  readonly text: string
  readonly number: number
  readonly mac?: string
}

export interface Chain {
  /** Undefined: no keys, lines without MACs. */
  keyId(): string | undefined
  next(facts: AuditFacts): AuditLine
  /** Changes the keys. Returns the line that says so, under the old newest key and under the new one. */
  changeKeys(keys: readonly AuditKey[]): AuditLine
}

export interface ChainPorts {
  readonly life: string
  /** Newest first; empty: lines are numbered and have no MAC. */
  readonly keys: readonly AuditKey[]
  readonly mac: Mac
  /** Milliseconds since the epoch. */
  now(): number
}

export function createChain({ life, keys: firstKeys, mac, now }: ChainPorts): Chain {
  let keys = firstKeys
  let number = 0
  let prev: string | undefined

  function make(facts: AuditFacts, also: readonly AuditKey[]): AuditLine {
    number += 1
    const [newest] = keys
    let text =
      `{"level":"info","time":"${new Date(now()).toISOString()}","service":"token-broker",` +
      `"audit":"${facts.audit}","v":${AUDIT_VERSION},"life":"${life}","number":${number}`
    if (prev !== undefined) text += `,"prev":"${prev}"`
    for (const name in facts) {
      if (name === 'audit') continue
      const value = facts[name as keyof AuditFacts]
      if (value === undefined) continue
      text += `,"${name}":${typeof value === 'number' || typeof value === 'boolean' ? value : JSON.stringify(value)}`
    }
    text += ',"msg":"audit"'
    if (newest === undefined) return { text: `${text}}\n`, number }
    text += `,"mac_key":"${newest.id}"`
    const others = also.filter(({ id }) => id !== newest.id)
    if (others.length > 0) {
      const under = others.map(({ id, key }) => `"${id}":"${short(mac(key, text))}"`)
      text += `,"mac_under":{${under.join(',')}}`
    }
    const own = short(mac(newest.key, text))
    prev = own
    return { text: `${text}${MAC_MEMBER}${own}"}\n`, number, mac: own }
  }

  return {
    keyId: () => keys[0]?.id,
    // The first line is under all keys: who has one of them can say that this life belongs to the deployment.
    next: (facts) => make(facts, number === 0 ? keys : []),
    changeKeys(changed) {
      const before = keys
      keys = changed
      return make({ audit: 'keys_changed', key_ids: changed.map(({ id }) => id) }, before.slice(0, 1))
    },
  }
}

const short = (mac: string): string => mac.slice(0, MAC_CHARACTERS)
