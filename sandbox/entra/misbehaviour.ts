/** Everything the simulator can be told to do wrong: one knob each, for all accounts or for one. */
import { BadOrder } from './bad-order.ts'
import { aadstsCases } from './errors.ts'
import type { Random } from './random.ts'

export const idTokenFaults = [
  'missing',
  'garbage',
  'alg_none',
  'bad_signature',
  'unknown_key',
  'wrong_aud',
  'wrong_iss',
  'wrong_nonce',
  'no_nonce',
  'wrong_tid',
  'wrong_oid',
  'expired',
  'not_yet_valid',
] as const
export type IdTokenFault = (typeof idTokenFaults)[number]

export interface Knobs {
  /** Milliseconds before the answer. */
  latency: number
  /** 429, text/plain, with this Retry-After (seconds or an HTTP date). */
  throttle: number | string
  /** This status with an HTML body, e.g. 503; with 429 there is no Retry-After. */
  status: number
  /** The answer is computed, tokens are rotated, and then the connection is cut. */
  reset: true
  /** Never answers, until release() or close(). */
  hang: true
  /** Refuses with this AADSTS number; `error` and `suberror` replace the usual spelling. */
  aadsts: number | { code: number; error?: string; suberror?: string }
  /** 200 with something that is not JSON. */
  malformed: true
  /** The right JSON, cut in the middle. */
  truncated: true
  /** The right JSON, made this many bytes long. */
  oversized: number
  /** 302 to this address instead of an answer. */
  redirect: string
  id_token: IdTokenFault
  no_refresh_token: true
  /** `"expires_in": "3599"`, as the v1 endpoint writes it. */
  expires_in_string: true
  /** Graph, not the token endpoint: 400 "Tenant does not have a SPO license." on the drive. */
  no_spo_licence: true
  /** Graph: 401 with a claims challenge for every token. */
  cae_challenge: true
  /** Graph: this status with Graph's JSON error body. */
  graph_status: number
}

export type Knob = keyof Knobs

/** One setting of one knob. */
export interface Misbehaviour<K extends Knob = Knob> {
  knob: K
  value: Knobs[K]
  /** Username or object id; without it everybody is met. */
  account?: string
  /** Only the next n requests it applies to. */
  times?: number
  /** Chance 0 to 1, drawn from the seed. */
  rate?: number
}

const isTrue = (value: unknown): boolean => value === true
const isWhole =
  (low: number, high: number) =>
  (value: unknown): boolean =>
    typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

function isAadsts(value: unknown): boolean {
  const code = typeof value === 'object' && value !== null ? (value as { code?: unknown }).code : value
  return typeof code === 'number' && code in aadstsCases
}

const checks: { [K in Knob]: [check: (value: unknown) => boolean, expected: string] } = {
  latency: [isWhole(0, 600_000), 'milliseconds, 0 to 600000'],
  throttle: [(value) => isWhole(0, 1_000_000)(value) || isText(value), 'seconds for Retry-After, or an HTTP date'],
  status: [isWhole(400, 599), 'an HTTP status from 400 to 599'],
  reset: [isTrue, 'true'],
  hang: [isTrue, 'true'],
  aadsts: [isAadsts, 'a listed AADSTS number, or {"code", "error", "suberror"}'],
  malformed: [isTrue, 'true'],
  truncated: [isTrue, 'true'],
  oversized: [isWhole(1, 100_000_000), 'bytes'],
  redirect: [isText, 'an address'],
  id_token: [(value) => (idTokenFaults as readonly unknown[]).includes(value), `one of ${idTokenFaults.join(', ')}`],
  no_refresh_token: [isTrue, 'true'],
  expires_in_string: [isTrue, 'true'],
  no_spo_licence: [isTrue, 'true'],
  cae_challenge: [isTrue, 'true'],
  graph_status: [isWhole(400, 599), 'an HTTP status from 400 to 599'],
}

export const knobNames = Object.keys(checks) as Knob[]

export interface MisbehaviourBoard {
  /**
   * Replaces an earlier setting of the same knob for the same account. Throws BadOrder for a value that the knob cannot
   * have.
   */
  set(setting: Misbehaviour): void
  /** Back to good behaviour: one knob, one account, or all. */
  clear(knob?: Knob, account?: string): void
  /** The knob's value for this request, used up by asking (`times`, `rate`). The account's own setting comes first. */
  take<K extends Knob>(knob: K, account: readonly string[]): Knobs[K] | undefined
  list(): Misbehaviour[]
}

export function createBoard(random: Random): MisbehaviourBoard {
  let settings: Misbehaviour[] = []
  const same = (a: string | undefined, b: string | undefined): boolean => a?.toLowerCase() === b?.toLowerCase()

  return {
    set(setting) {
      const check = checks[setting.knob]
      if (!check) throw new BadOrder(`no knob ${JSON.stringify(setting.knob)}; there are ${knobNames.join(', ')}`)
      if (!check[0](setting.value)) throw new BadOrder(`${setting.knob}: expected ${check[1]}`)
      const { times, rate } = setting
      if (times !== undefined && !isWhole(1, Infinity)(times))
        throw new BadOrder('times: expected a whole number from 1')
      if (rate !== undefined && !(rate > 0 && rate <= 1)) throw new BadOrder('rate: expected more than 0 and up to 1')
      this.clear(setting.knob, setting.account ?? '*')
      settings = [...settings, { ...setting }]
    },
    clear(knob, account) {
      settings = settings.filter(
        (entry) => (knob && entry.knob !== knob) || (account && !same(entry.account ?? '*', account)),
      )
    },
    take(knob, account) {
      if (settings.length === 0) return undefined
      const candidates = settings.filter((entry) => entry.knob === knob)
      const own = candidates.find((entry) => entry.account && account.some((name) => same(name, entry.account)))
      const found = own ?? candidates.find((entry) => entry.account === undefined)
      if (!found || (found.rate !== undefined && random.next() >= found.rate)) return undefined
      if (found.times !== undefined && --found.times === 0) settings = settings.filter((entry) => entry !== found)
      return found.value as Knobs[typeof knob]
    },
    list: () => settings.map((entry) => ({ ...entry })),
  }
}
