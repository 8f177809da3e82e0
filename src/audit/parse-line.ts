import { createHmac } from 'node:crypto'
import type { AuditFacts, AuditKey } from '../core/audit.ts'
import { MAC_CHARACTERS, MAC_MEMBER } from './chain.ts'

// Reads audit lines out of stored logs and judges each one alone (docs/design.md#audit). How lines follow each other is
// judged in verify.ts.

/** A line as it was written, with its time. */
export interface ReadLine extends AuditFacts {
  readonly time: string
  readonly v: number
  readonly life: string
  readonly number: number
  readonly prev?: string
  readonly mac_key?: string
  readonly mac?: string
}

export type Judged =
  /** Not an audit line. */
  | { kind: 'other' }
  /** `proven`: its MAC is right. Without keys, nothing is proven. */
  | { kind: 'line'; line: ReadLine; proven: boolean }
  | { kind: 'altered'; life: string; number: number; why: string }
  /** Looks like an audit line and cannot be one of this deployment. */
  | { kind: 'foreign'; why: string }
  /** Ends in the middle. Life and number, if it came so far. */
  | { kind: 'torn'; life?: string; number?: number }

const MARK = '"audit":"'
/** How every line begins. Container runtimes write their own fields before it. */
const BEGINNING = '{"level":"info","time":"'
const LIFE = /^[\w-]{16}$/

/** `text` without its line break. Keys: of the deployment, in any order. */
export function judgeLine(text: string, keys: readonly AuditKey[]): Judged {
  if (!text.includes('audit')) return { kind: 'other' }
  const line = unwrap(text)
  const at = line.indexOf(BEGINNING)
  if (at < 0 || !line.includes(MARK, at)) return { kind: 'other' }
  const whole = line.slice(at).trimEnd()
  const parsed = parse(whole)
  if (parsed === undefined) return torn(whole)
  // An ordinary line may hold the word too; only audit lines have these members.
  if (typeof parsed['audit'] !== 'string' || !('v' in parsed || 'life' in parsed)) return { kind: 'other' }
  const { life, number, mac, mac_key: keyId } = parsed
  if (typeof life !== 'string' || !LIFE.test(life)) return { kind: 'foreign', why: 'it has no life' }
  if (!Number.isSafeInteger(number) || (number as number) < 1) return { kind: 'foreign', why: 'it has no number' }
  const place = { life, number: number as number }
  if (keys.length > 0) {
    if (typeof mac !== 'string' || typeof keyId !== 'string') return { kind: 'foreign', why: 'it has no MAC' }
    const key = keys.find(({ id }) => id === keyId)
    if (key === undefined) return { kind: 'foreign', why: `its key ${printable(keyId)} is not in AUDIT_KEYS` }
    if (!holds(whole, mac, key)) return { kind: 'altered', ...place, why: 'its MAC does not fit its text' }
  }
  if (!isLine(parsed)) return { kind: 'foreign', why: 'its members have another form' }
  return { kind: 'line', line: parsed, proven: keys.length > 0 }
}

/**
 * Whether the MAC is the last member and is over all text before it. Nothing may follow it: of two members with one
 * name JSON.parse takes the last, so that a member after the MAC would change the line without changing its text.
 */
function holds(whole: string, mac: string, { key }: AuditKey): boolean {
  const end = `${MAC_MEMBER}${mac}"}`
  if (!whole.endsWith(end)) return false
  const text = whole.slice(0, -end.length)
  return createHmac('sha256', key).update(text).digest('base64').slice(0, MAC_CHARACTERS) === mac
}

/** A shipper may have put the whole line into a member of its own. */
function unwrap(text: string): string {
  if (!text.includes('\\"audit\\":\\"')) return text
  const { log, message } = parse(text.slice(text.indexOf('{'))) ?? {}
  const inner = [log, message].find((member) => typeof member === 'string' && member.includes(MARK))
  return typeof inner === 'string' ? inner : text
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function torn(whole: string): Judged {
  const life = /"life":"([\w-]{16})"/.exec(whole)?.[1]
  const number = /"number":([1-9]\d{0,14}),/.exec(whole)?.[1]
  return {
    kind: 'torn',
    ...(life === undefined ? {} : { life }),
    ...(number === undefined ? {} : { number: Number(number) }),
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
/** Members that verify.ts and the commands use as text. Without keys a line may hold anything. */
const TEXTS = ['prev', 'mac_key', 'mac', 'version', 'user_id', 'caller', 'key_id', 'peer', 'context', 'request_id']

function isLine(parsed: Record<string, unknown>): parsed is Record<string, unknown> & ReadLine {
  const { time } = parsed
  return (
    typeof time === 'string' &&
    TIME.test(time) &&
    TEXTS.every((name) => parsed[name] === undefined || typeof parsed[name] === 'string')
  )
}

const printable = (text: string): string => (/^[\w.-]{1,40}$/.test(text) ? text : '(unreadable)')
