import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  sql,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from './drizzle.ts'

// The tables (docs/design.md#tables). The only file drizzle-kit reads. Sealed values are written and read only through
// the vault. Words and JSON have no type here: what a row holds is only known after core/stored.ts has read it.

const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' })

/**
 * One sequence for all integrations: a number is never used twice, so a generation always names the same set of tokens.
 */
export const generations = pgSequence('integration_generation')

export const integrations = pgTable(
  'oauth2_integration',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    provider: text('provider').notNull().default('microsoft'),
    status: text('status').notNull(),
    generation: bigint('generation', { mode: 'number' }).notNull(),
    accessToken: bytea('access_token').notNull(),
    refreshToken: bytea('refresh_token').notNull(),
    accessTokenExpiresAt: instant('access_token_expires_at').notNull(),
    scopes: text('scopes').array().notNull(),
    /**
     * The app registration that its tokens belong to, in lower case. Null, in rows of brokers before 1.0.0: that of
     * `deployment`.
     */
    clientId: text('client_id'),
    tenantId: text('tenant_id'),
    objectId: text('object_id'),
    username: text('username'),
    displayName: text('display_name'),
    /** The optional claim of that name in the id token. */
    loginHint: text('login_hint'),
    connectedAt: instant('connected_at').notNull().defaultNow(),
    /**
     * Stored by an import, and the user has not connected through the broker since. False is the safe value for
     * unknown.
     */
    imported: boolean('imported').notNull().default(false),
    refreshedAt: instant('refreshed_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at').notNull().defaultNow(),
    failure: jsonb('failure'),
    failures: integer('failures').notNull().default(0),
    retryAt: instant('retry_at'),
    leaseOwner: text('lease_owner'),
    leaseUntil: instant('lease_until'),
    /** When Microsoft suggests a refresh of a long-lived token (`refresh_in`). Null: it does not. */
    refreshDueAt: instant('refresh_due_at'),
    /** Hash of the claims challenge with which the stored access token was got. Null: without one. */
    claimsHash: text('claims_hash'),
    /** A claims challenge that only the user can satisfy, for the next authorize request, and since when. */
    challenge: jsonb('challenge'),
    challengedAt: instant('challenged_at'),
    /** Times of refreshes that callers forced lately (core/claims.ts). */
    forcedAt: instant('forced_at').array(),
  },
  (table) => [
    uniqueIndex('oauth2_integration_provider_user_id').on(table.provider, table.userId),
    index('oauth2_integration_refreshed_at').on(table.refreshedAt),
    index('oauth2_integration_last_used_at').on(table.lastUsedAt),
    check('oauth2_integration_status', sql`${table.status} in ('active', 'reconnect_required')`),
  ],
)

export const connectSessions = pgTable(
  'connect_session',
  {
    id: uuid('id').primaryKey(),
    ticketHash: bytea('ticket_hash').notNull(),
    caller: text('caller').notNull(),
    userId: text('user_id').notNull(),
    intent: text('intent').notNull(),
    allowSwitch: boolean('allow_switch').notNull(),
    /** Once the state is used: the hash of state and answer, so that another answer to it finds nothing. */
    stateHash: bytea('state_hash'),
    browserSession: bytea('browser_session'),
    pkceVerifier: bytea('pkce_verifier'),
    code: bytea('code'),
    /** The app registration that the browser was sent to Microsoft with. Null: the one of its time. */
    clientId: text('client_id'),
    /** Hash of the handle of the completion (docs/design.md#completion). Null: the browser did not bring a code. */
    handleHash: bytea('handle_hash'),
    nonce: text('nonce'),
    /** What the authorize request asked for; the token request asks for the same. */
    claims: text('claims'),
    /** For the pages of the visit (docs/design.md#language-and-time). Null: the browser decides. */
    locale: text('locale'),
    timeZone: text('time_zone'),
    status: text('status').notNull(),
    outcome: jsonb('outcome'),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    uniqueIndex('connect_session_ticket_hash').on(table.ticketHash),
    uniqueIndex('connect_session_state_hash').on(table.stateHash),
    index('connect_session_user_id').on(table.userId),
    index('connect_session_browser_session').on(table.browserSession),
    index('connect_session_expires_at').on(table.expiresAt),
  ],
)

/** Rows of @fastify/session. The id is stored as a hash: a copy of the table opens no session. */
export const browserSessions = pgTable(
  'browser_session',
  {
    idHash: bytea('id_hash').primaryKey(),
    userId: text('user_id'),
    data: jsonb('data').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    index('browser_session_user_id').on(table.userId),
    index('browser_session_expires_at').on(table.expiresAt),
  ],
)

export const requestNonces = pgTable(
  'request_nonce',
  {
    replayKey: bytea('replay_key').primaryKey(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [index('request_nonce_expires_at').on(table.expiresAt)],
)

export const events = pgTable(
  'event',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    /** In cursors, so that an event that took the id of a lost one is not mistaken for it (docs/design.md#events). */
    tag: uuid('tag').notNull().defaultRandom(),
    at: instant('at').notNull().defaultNow(),
    userId: text('user_id').notNull(),
    type: text('type').notNull(),
    /** Who caused it: the name of a caller, `account-page` or `broker`. */
    caller: text('caller').notNull(),
    detail: jsonb('detail').notNull(),
  },
  (table) => [
    index('event_at').on(table.at),
    // For import, which asks who has disconnected since.
    index('event_disconnected')
      .on(table.userId)
      .where(sql`${table.type} = 'disconnected'`),
  ],
)

/**
 * One row for each running replica, renewed every 10 seconds, so that others know it and the newest line of its audit
 * log (docs/design.md#audit).
 */
export const replicas = pgTable(
  'replica',
  {
    /** Random id of the process: `life` in its audit lines. */
    id: text('id').primaryKey(),
    startedAt: instant('started_at').notNull().defaultNow(),
    seenAt: instant('seen_at').notNull().defaultNow(),
    version: text('version').notNull(),
    /** The newest audit line that was written; null before the first. The MAC is null without AUDIT_KEYS. */
    auditNumber: bigint('audit_number', { mode: 'number' }),
    auditMac: text('audit_mac'),
  },
  (table) => [index('replica_seen_at').on(table.seenAt)],
)

/** What an administrative command did, until a replica has written the audit line about it. */
export const auditEntries = pgTable('audit_entry', {
  id: uuid('id').primaryKey().defaultRandom(),
  at: instant('at').notNull().defaultNow(),
  action: text('action').notNull(),
  facts: jsonb('facts').notNull(),
  /** A replica is writing the line. It is another's turn after this time. */
  claimedUntil: instant('claimed_until'),
})

/**
 * One row for each sealing key that was used: it proves at start that the configured key is the one that sealed this
 * database.
 */
export const sealingKeys = pgTable('sealing_key', {
  keyId: text('key_id').primaryKey(),
  canary: bytea('canary').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

/** One row: the deployment that this database belongs to (docs/design.md#database), and the epoch of event cursors. */
export const deployment = pgTable(
  'deployment',
  {
    one: boolean('one').notNull().default(true),
    publicBaseUrl: text('public_base_url').notNull(),
    epoch: uuid('epoch').notNull().defaultRandom(),
    /** The app registration that was current when the column came: integrations without one belong to it. */
    clientId: text('client_id'),
    /**
     * Keys the hash of user ids in the sketches of `caller_key_use`; made when it is first needed. No caller sees it.
     */
    sketchKey: uuid('sketch_key'),
  },
  (table) => [primaryKey({ columns: [table.one] }), check('deployment_one_row', sql`${table.one}`)],
)

/**
 * Scopes whose tokens are not handed out (docs/design.md#freeze). A row counts until `expires_at`. Not called `freeze`:
 * that is a reserved word of Postgres.
 */
export const freezes = pgTable(
  'access_freeze',
  {
    id: uuid('id').primaryKey(),
    scope: text('scope').notNull(),
    /** A user id, a tenant id in lower case, or the id of a caller key. */
    value: text('value').notNull(),
    /** Words of the one who froze, for operators. */
    reason: text('reason').notNull(),
    /** Name of a caller, of a command, or `broker`. */
    caller: text('caller').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at'),
  },
  (table) => [
    uniqueIndex('access_freeze_scope_value').on(table.scope, table.value),
    check('access_freeze_scope', sql`${table.scope} in ('user', 'tenant', 'caller_key')`),
  ],
)

/**
 * How many different users each caller key has asked for, by hour (docs/design.md#harvest-alarm). The sketch names no
 * user.
 */
export const callerKeyUse = pgTable(
  'caller_key_use',
  {
    keyId: text('key_id').notNull(),
    /** Begin of the hour. */
    hour: instant('hour').notNull(),
    sketch: bytea('sketch').notNull(),
    /** The estimate of the sketch. */
    users: integer('users').notNull(),
  },
  (table) => [primaryKey({ columns: [table.keyId, table.hour] }), index('caller_key_use_hour').on(table.hour)],
)

/** One row: the last run of the canary account (docs/design.md#canary). */
export const canaryRuns = pgTable(
  'canary_run',
  {
    one: boolean('one').notNull().default(true),
    begunAt: instant('begun_at').notNull().defaultNow(),
    endedAt: instant('ended_at'),
    /** Runs in a row that failed. */
    failures: integer('failures').notNull().default(0),
    failingSince: instant('failing_since'),
    /** Of the last run that ended: a list of steps and words, no user. */
    faults: jsonb('faults').notNull().default([]),
  },
  (table) => [primaryKey({ columns: [table.one] }), check('canary_run_one_row', sql`${table.one}`)],
)
