import { Failure, type Reason } from './failure.ts'
import { USER_ID } from './user-id.ts'

// A freeze withholds tokens without deleting anything (docs/design.md#freeze): nobody has to reconnect afterwards.

export const FREEZE_SCOPES = ['user', 'tenant', 'caller_key'] as const
/** Whom a freeze concerns: a user id, a tenant id, or the id of a caller key. */
export type FreezeScope = (typeof FREEZE_SCOPES)[number]
/** The part of a freeze that an integration or a connect is compared with. */
export type FrozenPerson = Exclude<FreezeScope, 'caller_key'>

export interface Freeze {
  id: string
  /** As it is stored: a newer release may have written a scope that this release does not know. */
  scope: FreezeScope | (string & {})
  value: string
  /** Words of the one who froze. For operators, never for users. */
  reason: string
  /** Name of a caller, of a command, or `broker`. */
  caller: string
  /** ISO 8601. */
  createdAt: string
  /** ISO 8601, by Postgres' clock. Absent: until it is lifted. */
  expiresAt?: string
}

export interface NewFreeze {
  scope: FreezeScope
  value: string
  reason: string
  caller: string
  /** ISO 8601. */
  expiresAt?: string
}

/** What a statement that reads an integration says about freezes. */
export interface FreezeState {
  /** The user or the tenant is frozen. */
  frozen?: FrozenPerson
  /** Ids of all frozen caller keys; usually none. */
  frozenKeys?: readonly string[]
}

export interface FreezeStore {
  /**
   * Freezes a scope, with an event. There is one freeze for each scope and value: a second one changes the reason of
   * the first and can make it longer, never shorter. `created`: it was not frozen before. Throws Failure
   * `invalid_request` if `expiresAt` is over.
   */
  freeze(input: NewFreeze): Promise<{ freeze: Freeze; created: boolean }>
  /** Those that count now, oldest first. */
  list(): Promise<Freeze[]>
  /** Lifts one, with an event. Undefined: there is none with this id. */
  lift(id: string, caller: string): Promise<Freeze | undefined>
  /** One statement; asked at the same time by several, they share it. */
  isKeyFrozen(keyId: string): Promise<boolean>
  /** The freezes of this user and tenant that count now. */
  ofPerson(userId: string, tenantId?: string): Promise<Freeze[]>
  /** Deletes those whose time is over, each with an event. Resolves with their number. */
  endExpired(): Promise<number>
}

export const FROZEN_REASONS = {
  user: 'user_frozen',
  tenant: 'tenant_frozen',
  caller_key: 'caller_key_frozen',
} as const satisfies Record<FreezeScope, Reason>

export const frozenFailure = (scope: FreezeScope): Failure => new Failure('frozen', { reason: FROZEN_REASONS[scope] })

/** Throws Failure `frozen`. `keyId`: the key of the caller who asks; absent: nobody asks (keep-alive). */
export function refuseFrozen({ frozen, frozenKeys }: FreezeState, keyId: string | undefined): void {
  if (keyId !== undefined && frozenKeys?.includes(keyId) === true) throw frozenFailure('caller_key')
  if (frozen !== undefined) throw frozenFailure(frozen)
}

/** What a freeze holds beside its scope. Absent: this text can be frozen. */
export function freezeValueProblem(scope: FreezeScope, value: string): string | undefined {
  const { form, expected } = VALUE_FORMS[scope]
  return form.test(value) ? undefined : expected
}

/** Tenant ids are compared in lower case. */
export const freezeValue = (scope: FreezeScope, value: string): string =>
  scope === 'tenant' ? value.toLowerCase() : value

// oxlint-disable-next-line no-control-regex -- exactly those are kept out
export const FREEZE_REASON = /^[^\x00-\x1f\x7f]{1,200}$/

const VALUE_FORMS = {
  user: { form: USER_ID, expected: '1 to 128 characters of A-Z a-z 0-9 . _ ~ -' },
  tenant: {
    form: /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
    expected: 'a tenant id (a GUID)',
  },
  caller_key: { form: /^[A-Za-z0-9._:/-]{1,64}$/, expected: '1 to 64 characters of A-Z a-z 0-9 . _ : / -' },
} as const satisfies Record<FreezeScope, { form: RegExp; expected: string }>
