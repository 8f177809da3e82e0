import type { BrokerEventType } from '../core/events.ts'
import type { MicrosoftError, Reason } from '../core/failure.ts'
import type { IntegrationStatus, StoredFailure } from '../core/integration.ts'
import type { ConnectIntent, ConnectOutcome, ConnectSessionStatus } from '../core/ports.ts'
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

// The tables (design 4). The only file drizzle-kit reads. Values called sealed are written and read through the vault alone.

const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' })
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'string' })

/** One sequence for all integrations: a number is never used twice, so a generation names one set of tokens for good. */
export const generations = pgSequence('integration_generation')

export const integrations = pgTable(
  'oauth2_integration',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    provider: text('provider').notNull().default('microsoft'),
    status: text('status').$type<IntegrationStatus>().notNull(),
    generation: bigint('generation', { mode: 'number' }).notNull(),
    accessToken: bytea('access_token').notNull(),
    refreshToken: bytea('refresh_token').notNull(),
    accessTokenExpiresAt: instant('access_token_expires_at').notNull(),
    scopes: text('scopes').array().notNull(),
    tenantId: text('tenant_id'),
    objectId: text('object_id'),
    username: text('username'),
    displayName: text('display_name'),
    connectedAt: instant('connected_at').notNull().defaultNow(),
    /** Stored by an import, and the user has not connected through the broker since. False is the safe value for unknown. */
    imported: boolean('imported').notNull().default(false),
    refreshedAt: instant('refreshed_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at').notNull().defaultNow(),
    failure: jsonb('failure').$type<StoredFailure>(),
    failures: integer('failures').notNull().default(0),
    retryAt: instant('retry_at'),
    leaseOwner: text('lease_owner'),
    leaseUntil: instant('lease_until'),
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
    intent: text('intent').$type<ConnectIntent>().notNull(),
    allowSwitch: boolean('allow_switch').notNull(),
    stateHash: bytea('state_hash'),
    browserSession: bytea('browser_session'),
    pkceVerifier: bytea('pkce_verifier'),
    code: bytea('code'),
    nonce: text('nonce'),
    status: text('status').$type<ConnectSessionStatus>().notNull(),
    outcome: jsonb('outcome').$type<ConnectOutcome>(),
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

/** Rows of @fastify/session. The id is stored hashed: a copy of the table opens no session. */
export const browserSessions = pgTable(
  'browser_session',
  {
    idHash: bytea('id_hash').primaryKey(),
    userId: text('user_id'),
    data: jsonb('data').$type<Record<string, unknown>>().notNull(),
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

export interface EventDetail {
  reason?: Reason
  /** `disconnected` by the broker itself: no caller has read it for as long as is configured. */
  cause?: 'unused'
  generation?: number
  microsoft?: MicrosoftError
}

export const events = pgTable(
  'event',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant('at').notNull().defaultNow(),
    userId: text('user_id').notNull(),
    type: text('type').$type<BrokerEventType>().notNull(),
    /** Who caused it: a caller's name, `account-page`, `broker`. */
    caller: text('caller').notNull(),
    detail: jsonb('detail').$type<EventDetail>().notNull(),
  },
  (table) => [
    index('event_at').on(table.at),
    // Import asks who has disconnected since.
    index('event_disconnected')
      .on(table.userId)
      .where(sql`${table.type} = 'disconnected'`),
  ],
)

/** One row per sealing key ever used: proof at start that the configured key is the one that sealed this database. */
export const sealingKeys = pgTable('sealing_key', {
  keyId: text('key_id').primaryKey(),
  canary: bytea('canary').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

/** One row: which deployment this database belongs to (design 1), and the epoch that event cursors carry. */
export const deployment = pgTable(
  'deployment',
  {
    one: boolean('one').notNull().default(true),
    publicBaseUrl: text('public_base_url').notNull(),
    epoch: uuid('epoch').notNull().defaultRandom(),
  },
  (table) => [primaryKey({ columns: [table.one] }), check('deployment_one_row', sql`${table.one}`)],
)
