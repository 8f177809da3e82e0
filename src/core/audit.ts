import type { KeyObject } from 'node:crypto'

// Audit (docs/design.md#audit): who was given which user's token, when, with which key, for what. The words of its
// lines, and the port through which http and services write them.

/** The version of the lines' form. It changes when a line of a new release would mislead a reader of the old form. */
export const AUDIT_VERSION = 1

/** What a caller may say in `Broker-Context` about what a token is for, such as `document:4711`. */
export const BROKER_CONTEXT = /^[A-Za-z0-9._:/@-]{1,256}$/
export const BROKER_CONTEXT_RULE = '1 to 256 of A-Z a-z 0-9 . _ : / @ -'

/** What a line is about: its member `audit`. */
export const AUDIT_KINDS = {
  token_handed_out: 'A token of the user may have left for the caller.',
  refused: 'An authenticated caller was refused: `code` says why.',
  connect_begun: 'A caller began a connect session for the user.',
  connect_completed: 'A connect session ended: `outcome`.',
  connect_ended: 'Another login than the one that began came back; the connect session of the user is over.',
  frozen: 'From now on no token of `scope` and `value` is handed out.',
  unfrozen: 'The freeze was lifted.',
  disconnected: 'The stored authorization of the user was deleted.',
  browser_sessions_ended: 'The user logged out of MEGDocs.',
  imported: 'A caller imported connections: `counts`.',
  let_go: 'An integration that no caller has read for long was deleted.',
  command: 'Somebody ran an administrative command: `action`. A command writes a row, and a replica logs it.',
  callers_changed: 'The callers file was read again: callers and keys that are accepted from now on.',
  life_began: 'The first line of a run of the broker.',
  keys_changed: 'Lines are under another audit key from now on.',
  life_ended: 'The last line of a run that ended in order.',
  heads: 'The newest written lines of other replicas, as the database has them.',
} as const
export type AuditKind = keyof typeof AUDIT_KINDS

/** More would make a line too long. */
export const AUDIT_HEADS_PER_LINE = 20

/** The newest line of one life. */
export interface AuditHead {
  /** Random id of one run of the broker */
  readonly life: string
  readonly number: number
  /** Absent without audit keys. */
  readonly mac?: string
}

/** What happened. Never a token, a secret or free text of others. Undefined members are left out. */
export interface AuditFacts {
  readonly audit: AuditKind
  readonly user_id?: string | undefined
  readonly caller?: string | undefined
  readonly key_id?: string | undefined
  /** Address of the connection on which the request came. */
  readonly peer?: string | undefined
  readonly generation?: number | undefined
  /** Tenant and object id of the Microsoft account whose token it is. */
  readonly tenant_id?: string | undefined
  readonly object_id?: string | undefined
  readonly request_id?: string | undefined
  readonly trace_id?: string | undefined
  readonly context?: string | undefined
  /** Why a valid token was not refreshed. */
  readonly degraded?: string | undefined
  /** Failure code and reason. */
  readonly code?: string | undefined
  readonly reason?: string | undefined
  /** A word that says why, for the log only. */
  readonly detail?: string | undefined
  readonly method?: string | undefined
  readonly route?: string | undefined
  readonly status?: number | undefined
  /** Milliseconds from the arrival of the request to this line. */
  readonly ms?: number | undefined
  readonly connect_session?: string | undefined
  readonly intent?: string | undefined
  readonly outcome?: string | undefined
  /** Of Microsoft's answer. */
  readonly aadsts?: number | undefined
  readonly correlation_id?: string | undefined
  /** Id of a freeze, and what it withholds. */
  readonly freeze?: string | undefined
  readonly scope?: string | undefined
  readonly value?: string | undefined
  readonly was_connected?: boolean | undefined
  readonly dry_run?: boolean | undefined
  readonly counts?: Readonly<Record<string, number>> | undefined
  readonly action?: string | undefined
  /** Row of an administrative command: two lines with one `entry` are about one command. */
  readonly entry?: string | undefined
  readonly at?: string | undefined
  readonly facts?: Readonly<Record<string, string | number | boolean>> | undefined
  readonly key_ids?: readonly string[] | undefined
  readonly version?: string | undefined
  readonly heads?: readonly AuditHead[] | undefined
}

/** An audit key; in a list, the newest first. */
export interface AuditKey {
  readonly id: string
  readonly key: KeyObject
}

/** The audit log of one run of the broker */
export interface AuditLog {
  /** Random id of this process in its lines. */
  readonly life: string
  /**
   * Resolves when the line has been written. Rejects with Failure `audit_unavailable` after two seconds, or at once if
   * too many lines wait; with AUDIT=best-effort it resolves at once and never rejects.
   */
  write(facts: AuditFacts): Promise<void>
  /** Writes a line that nobody waits for. */
  note(facts: AuditFacts): void
  /** The newest line that has been written. Undefined before the first. */
  head(): AuditHead | undefined
  /** Other keys from now on, newest first. The line that says so is under both. */
  changeKeys(keys: readonly AuditKey[]): void
}

/** Members of `facts` that a line can hold: at most 12, and no text that is longer or of other characters. */
export function readCommandFacts(stored: unknown): NonNullable<AuditFacts['facts']> {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) return {}
  const facts: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(stored).slice(0, 12)) {
    if (!/^\w{1,40}$/.test(name)) continue
    if (typeof value === 'number' || typeof value === 'boolean') facts[name] = value
    else if (typeof value === 'string' && /^[\x20-\x7e]{0,128}$/.test(value)) facts[name] = value
  }
  return facts
}
