/**
 * core owns the decisions: when to refresh, what an answer means for an integration, who may complete a connect
 * session. It must not know Fastify, SQL, undici, the environment or the clock: those come in through ports.ts.
 *
 * This file: the closed lists of failures and reasons. HTTP statuses are in http/problem.ts, texts for people in
 * texts/. `advice` is for developers.
 */

/**
 * All codes of failures that a caller can get (docs/design.md#failures). Callers treat an unknown code by its HTTP
 * status.
 */
export const FAILURE_CODES = [
  'invalid_signature',
  'clock_skew',
  'caller_forbidden',
  'frozen',
  'not_connected',
  'not_found',
  'reconnect_required',
  'connect_refused',
  'account_mismatch',
  'claims_not_satisfied',
  'connect_session_expired',
  'cursor_expired',
  'invalid_request',
  'rate_limited',
  'microsoft_unavailable',
  'broker_misconfigured',
  'database_unavailable',
  'audit_unavailable',
  'token_unreadable',
  'internal_error',
] as const
export type FailureCode = (typeof FAILURE_CODES)[number]

/** Who has to do something before it works again. `nobody`: it recovers without anybody's help. */
export const ACTORS = ['user', 'tenant_admin', 'ops', 'nobody'] as const
export type Actor = (typeof ACTORS)[number]

/**
 * The closed list of every `reason` that the broker writes, with who has to act and one sentence of advice. `user`:
 * connecting again helps, and only then it is offered as the next step (docs/design.md#failures).
 */
export const REASONS = {
  // The stored authorization has ended: only the user can give a new one.
  access_revoked: {
    whoActs: 'user',
    advice: 'Access was revoked at Microsoft (for example after a password reset). Connect again.',
  },
  refresh_token_expired: {
    whoActs: 'user',
    advice: 'The connection was not used for a long time and has expired. Connect again.',
  },
  sign_in_frequency: {
    whoActs: 'user',
    advice: 'Your organisation requires signing in again from time to time. Connect again.',
  },
  password_changed: {
    whoActs: 'user',
    advice: 'The Microsoft password changed or expired. Connect again with the current one.',
  },
  token_invalid: {
    whoActs: 'user',
    advice: 'Microsoft no longer accepts the stored authorization. Connect again.',
  },
  sign_in_required: {
    whoActs: 'user',
    advice: 'Microsoft wants the user to sign in again. Connect again.',
  },
  mfa_required: {
    whoActs: 'user',
    advice: 'Microsoft asks for an extra verification. Connect again and complete it.',
  },
  consent_required: {
    whoActs: 'user',
    advice: 'The permissions were not approved or were withdrawn. Connect again and approve them.',
  },
  // Policy, consent or account state: somebody else may change it, so the broker tries again (docs/design.md#verdicts).
  admin_consent_required: {
    whoActs: 'tenant_admin',
    advice: 'An administrator of the organisation must approve the application first.',
  },
  blocked_by_policy: {
    whoActs: 'tenant_admin',
    advice: 'A policy of the organisation blocks this access. Its administrator must allow the application.',
  },
  device_not_compliant: {
    whoActs: 'tenant_admin',
    advice: 'The organisation asks for a managed device. Use one, or contact its IT.',
  },
  account_disabled: {
    whoActs: 'tenant_admin',
    advice: "The Microsoft account is disabled. The organisation's administrator must enable it.",
  },
  account_not_found: {
    whoActs: 'tenant_admin',
    advice: 'The account does not exist in this organisation. Use another account, or contact its IT.',
  },
  account_locked: {
    whoActs: 'tenant_admin',
    advice: "The Microsoft account is locked. Wait, or contact the organisation's IT.",
  },
  not_assigned: {
    whoActs: 'tenant_admin',
    advice: 'The user is not assigned to the application. The administrator must assign them.',
  },
  app_unavailable: {
    whoActs: 'tenant_admin',
    advice: 'The application is disabled or missing in this organisation. Its administrator must enable it.',
  },
  tenant_unavailable: {
    whoActs: 'tenant_admin',
    advice:
      'Microsoft has blocked or deleted this organisation, or its sign-in is not set up correctly. Its administrator must act, if need be with Microsoft support.',
  },
  tenant_restricted: {
    whoActs: 'tenant_admin',
    advice: "Cross-organisation access is blocked. The organisation's administrator must allow it.",
  },
  // A connect was refused.
  not_approved: {
    whoActs: 'user',
    advice: 'The permissions were not approved. If no choice was offered, an administrator must approve first.',
  },
  missing_scopes: {
    whoActs: 'user',
    advice: 'Not all needed permissions were granted. Connect again and approve all of them.',
  },
  no_refresh_token: {
    whoActs: 'ops',
    advice: 'Microsoft returned no refresh token. Check the scopes of the app registration (offline_access).',
  },
  tenant_not_allowed: {
    whoActs: 'user',
    advice: 'Accounts of this organisation are not accepted here. Use an account of an accepted organisation.',
  },
  account_type_not_allowed: {
    whoActs: 'user',
    advice: 'This kind of Microsoft account is not accepted here. Use a work or school account.',
  },
  other_cloud: {
    whoActs: 'ops',
    advice:
      'The account belongs to another cloud of Microsoft, so it can never be connected here. Ops must offer a deployment for that cloud; if all accounts are refused, check MICROSOFT_LOGIN_URL.',
  },
  other_account: {
    whoActs: 'user',
    advice: 'Another Microsoft account is already connected. Use that one, or disconnect it first.',
  },
  identity_unproven: {
    whoActs: 'ops',
    advice: "Microsoft's proof of identity was not valid. Connect again; if it repeats, give ops the reference.",
  },
  code_rejected: {
    whoActs: 'user',
    advice: 'The sign-in took too long or was used twice. Connect again.',
  },
  not_back_yet: {
    whoActs: 'user',
    advice: 'The browser has not come back from Microsoft with the handle of this attempt. Connect again.',
  },
  not_the_same_user: {
    whoActs: 'user',
    advice: 'Another user began this connect. Connect again from your own session.',
  },
  abandoned: { whoActs: 'user', advice: 'The sign-in was not finished in time. Connect again.' },
  // Nothing is wrong with the authorization: it works again without anybody's help.
  microsoft_unreachable: {
    whoActs: 'nobody',
    advice: 'Microsoft cannot be reached. The broker retries automatically.',
  },
  microsoft_timeout: {
    whoActs: 'nobody',
    advice: 'Microsoft did not answer in time. The broker retries automatically.',
  },
  microsoft_error: {
    whoActs: 'nobody',
    advice: 'Microsoft reports an error of its own. The broker retries automatically.',
  },
  microsoft_bad_answer: {
    whoActs: 'ops',
    advice:
      'An answer came that is not from Microsoft or cannot be used. The broker tries again. If it repeats, ops must look at the proxy or filter on the way to Microsoft.',
  },
  throttled: {
    whoActs: 'nobody',
    advice: 'Microsoft asks for fewer requests. The broker retries automatically.',
  },
  loop_detected: {
    whoActs: 'ops',
    advice:
      'Microsoft saw too many identical requests and paused this one. The broker retries automatically; ops should look at the log.',
  },
  connect_in_progress: {
    whoActs: 'nobody',
    advice: 'This connect is being completed. Ask again in a moment.',
  },
  refresh_in_progress: {
    whoActs: 'nobody',
    advice: "A refresh is running and did not finish within the caller's deadline. Try again in a moment.",
  },
  broker_trouble: {
    whoActs: 'ops',
    advice: 'The broker could not refresh the token because of a failure of its own. Ops find the reason in its log.',
  },
  // Tokens are withheld (docs/design.md#freeze). Nothing was deleted.
  user_frozen: {
    whoActs: 'ops',
    advice:
      'Access for this user is paused. Nothing was deleted: it works again, without a reconnect, once ops lift it.',
  },
  tenant_frozen: {
    whoActs: 'ops',
    advice:
      'Access for this organisation is paused. Nothing was deleted: it works again, without a reconnect, once ops lift it.',
  },
  caller_key_frozen: {
    whoActs: 'ops',
    advice: 'The key that signed this request is paused. Ops lift it, or give the caller another key.',
  },
  challenge_repeated: {
    whoActs: 'ops',
    advice:
      'Microsoft goes on refusing the new tokens of this user. Most often broker and caller reach Microsoft from different addresses, or the caller does not pass on the claims challenge.',
  },
  // Our own side.
  client_credential: {
    whoActs: 'ops',
    advice: "Microsoft refuses the broker's client credential. Ops must renew it, or correct the broker's clock.",
  },
  app_registration: {
    whoActs: 'ops',
    advice: "The app registration or the broker's configuration is wrong. Ops must look at the AADSTS code.",
  },
  registration_unknown: {
    whoActs: 'ops',
    advice:
      'This integration belongs to an app registration that is not configured. Ops must add it to MICROSOFT_PREVIOUS_CLIENTS.',
  },
} as const satisfies Record<string, { whoActs: Actor; advice: string }>
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
  advice: string
  known: boolean
}

const UNKNOWN_REASONS = {
  reconnect: {
    whoActs: 'user',
    advice: 'Microsoft no longer accepts the stored authorization. Connect again.',
  },
  try_later: {
    whoActs: 'nobody',
    advice: 'No new token can be had at the moment. The broker retries automatically.',
  },
  misconfigured: {
    whoActs: 'ops',
    advice: "The broker or its app registration does not fit. Ops must look at the broker's log.",
  },
  none: {
    whoActs: 'ops',
    advice: 'This version of the broker does not know the reason. Ops find more in the log.',
  },
} as const satisfies Record<StoredVerdict | 'none', { whoActs: Actor; advice: string }>

export function isReason(reason: string): reason is Reason {
  return Object.hasOwn(REASONS, reason)
}

/**
 * Who acts, and the advice for a reason. A reason that this release does not know is
 * explained by its verdict, and without one as a matter for ops. Never fails. The only reader of REASONS for reasons
 * that were stored.
 */
export function explainReason(reason: string, verdict?: StoredVerdict): Explained {
  if (isReason(reason)) return { reason, ...REASONS[reason], known: true }
  return { reason, ...UNKNOWN_REASONS[verdict ?? 'none'], known: false }
}

/**
 * The verdict behind a failure code, for reasons that come with a code only (problems, outcomes of connect sessions).
 */
export function verdictOfCode(code: FailureCode | (string & {}) | undefined): StoredVerdict | undefined {
  switch (code) {
    case 'reconnect_required':
    case 'connect_refused':
    case 'account_mismatch':
    case 'connect_session_expired':
      return 'reconnect'
    case 'microsoft_unavailable':
    case 'database_unavailable':
    case 'audit_unavailable':
      return 'try_later'
    case 'broker_misconfigured':
      return 'misconfigured'
    default:
      return undefined
  }
}

/**
 * What Microsoft's support asks for. Never the description: it can hold e-mail addresses (docs/microsoft.md#errors).
 */
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
  reason?: AnyReason
  /** Tenant of the stored account: the administrator who must act is theirs. */
  tenantId?: string
  microsoft?: MicrosoftError
  /** After so many seconds a retry may succeed. */
  retryAfterSeconds?: number
  /** For `claims_not_satisfied`: from where Graph saw the caller, and Microsoft's sign-in the broker, where known. */
  addresses?: { graph?: string; signIn?: string }
  /** For the log only: a word from a closed list or a fixed text, never input, never a secret. */
  detail?: string
  /** For `invalid_request`: which fields and what was expected, never what was sent. */
  invalid?: { field: string; expected: string }[]
}

/** The only error class of the broker. Its message is the code, so nothing secret can be in it. */
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
