/**
 * core owns the decisions: when to refresh, what an answer means for an integration, who may complete a connect
 * session. It must not know Fastify, SQL, undici, the environment or the clock: those come in through ports.ts.
 *
 * This file: the closed lists of failures and reasons. HTTP statuses stand in http/problem.ts, words in http/pages/texts.ts.
 */

/** Everything a caller can be told went wrong (design 2.2). Callers treat an unknown code by its status. */
export const FAILURE_CODES = [
  'invalid_signature',
  'clock_skew',
  'caller_forbidden',
  'not_connected',
  'not_found',
  'reconnect_required',
  'connect_refused',
  'account_mismatch',
  'connect_session_expired',
  'cursor_expired',
  'invalid_request',
  'rate_limited',
  'microsoft_unavailable',
  'broker_misconfigured',
  'database_unavailable',
  'token_unreadable',
  'internal_error',
] as const
export type FailureCode = (typeof FAILURE_CODES)[number]

/** Who has to do something before it works again. `nobody`: it heals by itself. */
export const ACTORS = ['user', 'tenant_admin', 'ops', 'nobody'] as const
export type Actor = (typeof ACTORS)[number]

/**
 * Why: one closed list for every `reason` the broker shows, with who acts and one sentence of advice in plain words.
 * `curable`: reconnecting can help (pages offer it only then).
 */
export const REASONS = {
  // The stored authorization is over: only the user can give a new one.
  access_revoked: {
    whoActs: 'user',
    curable: true,
    advice: 'Access was revoked at Microsoft (for example after a password reset). Connect again.',
  },
  refresh_token_expired: {
    whoActs: 'user',
    curable: true,
    advice: 'The connection was not used for too long and has expired. Connect again.',
  },
  sign_in_frequency: {
    whoActs: 'user',
    curable: true,
    advice: 'Your organisation requires signing in again from time to time. Connect again.',
  },
  password_changed: {
    whoActs: 'user',
    curable: true,
    advice: 'The Microsoft password changed or expired. Connect again with the current one.',
  },
  token_invalid: {
    whoActs: 'user',
    curable: true,
    advice: 'The stored authorization is no longer accepted by Microsoft. Connect again.',
  },
  sign_in_required: {
    whoActs: 'user',
    curable: true,
    advice: 'Microsoft wants the user to sign in again. Connect again.',
  },
  mfa_required: {
    whoActs: 'user',
    curable: true,
    advice: 'Microsoft asks for an extra verification. Connect again and complete it.',
  },
  consent_required: {
    whoActs: 'user',
    curable: true,
    advice: 'The permissions were not approved or were withdrawn. Connect again and approve them.',
  },
  // Policy, consent or account state: somebody else may cure it, so it is tried again (design 2.3).
  admin_consent_required: {
    whoActs: 'tenant_admin',
    curable: true,
    advice: 'An administrator of the organisation must approve the application first.',
  },
  blocked_by_policy: {
    whoActs: 'tenant_admin',
    curable: true,
    advice: 'A policy of the organisation blocks this access. Its administrator must allow the application.',
  },
  device_not_compliant: {
    whoActs: 'tenant_admin',
    curable: true,
    advice: 'The organisation asks for a managed device. Use one, or contact its IT.',
  },
  account_disabled: {
    whoActs: 'tenant_admin',
    curable: false,
    advice: "The Microsoft account is disabled. The organisation's administrator must enable it.",
  },
  account_not_found: {
    whoActs: 'tenant_admin',
    curable: true,
    advice: 'The account does not exist in this organisation any more. Use another account, or contact its IT.',
  },
  account_locked: {
    whoActs: 'tenant_admin',
    curable: false,
    advice: "The Microsoft account is locked. Wait, or contact the organisation's IT.",
  },
  not_assigned: {
    whoActs: 'tenant_admin',
    curable: true,
    advice: 'The user is not assigned to the application. The administrator must assign them.',
  },
  app_unavailable: {
    whoActs: 'tenant_admin',
    curable: false,
    advice: 'The application is disabled or missing in this organisation. Its administrator must enable it.',
  },
  tenant_restricted: {
    whoActs: 'tenant_admin',
    curable: false,
    advice: "Cross-organisation access is blocked. The organisation's administrator must allow it.",
  },
  // A connect that was refused.
  not_approved: {
    whoActs: 'user',
    curable: true,
    advice: 'The permissions were not approved. If no choice was offered, an administrator must approve first.',
  },
  missing_scopes: {
    whoActs: 'user',
    curable: true,
    advice: 'Not all needed permissions were granted. Connect again and approve all of them.',
  },
  no_refresh_token: {
    whoActs: 'ops',
    curable: false,
    advice: 'Microsoft returned no refresh token. Check the scopes of the app registration (offline_access).',
  },
  tenant_not_allowed: {
    whoActs: 'user',
    curable: true,
    advice: 'Accounts of this organisation are not accepted here. Use an account of an accepted organisation.',
  },
  account_type_not_allowed: {
    whoActs: 'user',
    curable: true,
    advice: 'This kind of Microsoft account is not accepted here. Use a work or school account.',
  },
  other_account: {
    whoActs: 'user',
    curable: true,
    advice: 'Another Microsoft account is already connected. Use that one, or disconnect it first.',
  },
  identity_unproven: {
    whoActs: 'ops',
    curable: true,
    advice: "Microsoft's proof of identity did not hold. Try again; if it repeats, ask ops to look at the reference.",
  },
  code_rejected: {
    whoActs: 'user',
    curable: true,
    advice: 'The sign-in took too long or was used twice. Start again.',
  },
  not_the_same_user: {
    whoActs: 'user',
    curable: true,
    advice: 'This attempt was begun by somebody else. Start again from your own session.',
  },
  abandoned: { whoActs: 'user', curable: true, advice: 'The sign-in was not finished in time. Start again.' },
  // Nothing is wrong with the authorization: it heals by itself.
  microsoft_unreachable: {
    whoActs: 'nobody',
    curable: false,
    advice: 'Microsoft cannot be reached. It is tried again by itself.',
  },
  microsoft_timeout: {
    whoActs: 'nobody',
    curable: false,
    advice: 'Microsoft did not answer in time. It is tried again by itself.',
  },
  microsoft_error: { whoActs: 'nobody', curable: false, advice: 'Microsoft has trouble. It is tried again by itself.' },
  microsoft_bad_answer: {
    whoActs: 'nobody',
    curable: false,
    advice: "Microsoft's answer could not be used. It is tried again by itself.",
  },
  throttled: {
    whoActs: 'nobody',
    curable: false,
    advice: 'Microsoft asked to slow down. It is tried again by itself.',
  },
  loop_detected: {
    whoActs: 'ops',
    curable: false,
    advice:
      'Microsoft saw too many identical requests and paused this one. It is tried again by itself; ops should look at the log.',
  },
  connect_in_progress: {
    whoActs: 'nobody',
    curable: false,
    advice: 'This connect is being completed right now. Ask again in a moment.',
  },
  refresh_in_progress: {
    whoActs: 'nobody',
    curable: false,
    advice: "A refresh is under way and did not finish within the caller's deadline. Try again shortly.",
  },
  broker_trouble: {
    whoActs: 'ops',
    curable: false,
    advice: 'The broker could not refresh the token because of trouble of its own. Ops see why in its log.',
  },
  // Our own side.
  client_credential: {
    whoActs: 'ops',
    curable: false,
    advice: "Microsoft refuses the broker's client credential. Ops must renew it, or correct the broker's clock.",
  },
  app_registration: {
    whoActs: 'ops',
    curable: false,
    advice: "The app registration or the broker's configuration does not fit. Ops must look at the AADSTS code.",
  },
} as const satisfies Record<string, { whoActs: Actor; curable: boolean; advice: string }>
/** A reason that this release writes. */
export type Reason = keyof typeof REASONS
/** A reason that was read: a newer release may have stored one that this release does not know. */
export type AnyReason = Reason | (string & {})

/** What a stored refusal of Microsoft means (docs/design.md#verdicts). */
export const STORED_VERDICTS = ['try_later', 'reconnect', 'misconfigured'] as const
export type StoredVerdict = (typeof STORED_VERDICTS)[number]

/** A reason with what follows from it. `known`: it is in the list of this release. */
export interface Explained {
  reason: string
  whoActs: Actor
  curable: boolean
  advice: string
  known: boolean
}

const UNKNOWN_REASONS = {
  reconnect: {
    whoActs: 'user',
    curable: true,
    advice: 'Microsoft no longer accepts the stored authorization. Connect again.',
  },
  try_later: {
    whoActs: 'nobody',
    curable: false,
    advice: 'No new token can be had at the moment. The broker retries automatically.',
  },
  misconfigured: {
    whoActs: 'ops',
    curable: false,
    advice: "The broker or its app registration does not fit. Ops must look at the broker's log.",
  },
  none: {
    whoActs: 'ops',
    curable: true,
    advice: 'This version of the broker does not know the reason. Connecting again may help; ops find more in the log.',
  },
} as const satisfies Record<StoredVerdict | 'none', { whoActs: Actor; curable: boolean; advice: string }>

export function isReason(reason: string): reason is Reason {
  return Object.hasOwn(REASONS, reason)
}

/**
 * Who acts, whether reconnecting can help, and the advice for a reason. A reason that this release does not know is explained by
 * its verdict, and without one as a matter for ops. Never fails. The only reader of REASONS for reasons that were stored.
 */
export function explainReason(reason: string, verdict?: StoredVerdict): Explained {
  if (isReason(reason)) return { reason, ...REASONS[reason], known: true }
  return { reason, ...UNKNOWN_REASONS[verdict ?? 'none'], known: false }
}

/** The verdict behind a failure code, for reasons that come with a code only (problems, outcomes of connect sessions). */
export function verdictOfCode(code: FailureCode | (string & {}) | undefined): StoredVerdict | undefined {
  switch (code) {
    case 'reconnect_required':
    case 'connect_refused':
    case 'account_mismatch':
    case 'connect_session_expired':
      return 'reconnect'
    case 'microsoft_unavailable':
    case 'database_unavailable':
      return 'try_later'
    case 'broker_misconfigured':
      return 'misconfigured'
    default:
      return undefined
  }
}

/** What Microsoft's support asks for. Never the description: it can hold e-mail addresses (entra.md 4.1). */
export interface MicrosoftError {
  status?: number
  error?: string
  suberror?: string
  /** The AADSTS number. */
  aadsts?: number
  traceId?: string
  correlationId?: string
  /** As Microsoft wrote it, `YYYY-MM-DD HH:MM:SSZ`. */
  timestamp?: string
}

export interface FailureFacts {
  reason?: Reason
  microsoft?: MicrosoftError
  /** Seconds after which trying again makes sense. */
  retryAfterSeconds?: number
  /** For the log only: a short word from a closed list or a fixed text, never input, never a secret. */
  detail?: string
  /** For `invalid_request`: which fields and what was expected, never what was sent. */
  invalid?: { field: string; expected: string }[]
}

/** The one error class of the broker. Its message is the code: nothing secret can be in it. */
export class Failure extends Error {
  readonly code: FailureCode
  readonly facts: FailureFacts

  constructor(code: FailureCode, facts: FailureFacts = {}) {
    super(facts.detail === undefined ? code : `${code}: ${facts.detail}`)
    this.name = 'Failure'
    this.code = code
    this.facts = facts
  }
}
