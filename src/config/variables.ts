// The table of all variables. Parsing, the texts of problems and the reference document are made from it.
import { authorities, responseSigningKey, sealingKeys, sessionSecret } from './secrets.ts'
import {
  authority,
  cidr,
  contact,
  databaseRole,
  integer,
  line,
  list,
  listenAddress,
  oneOf,
  origin,
  postgresUrls,
  redirectUri,
  subdomain,
  text,
  url,
  userId,
} from './values.ts'
import { MICROSOFT_VARIABLES } from './microsoft-variables.ts'
import type { Variable } from './variable.ts'

/**
 * Where Microsoft sends the browser back. The registered URI must be exactly this one: docs/microsoft.md#redirect-uris.
 */
export const CALLBACK_PATH = '/auth/oauth2/microsoft/callback'

export const VARIABLES = {
  SUBDOMAIN: {
    what: 'Part of the host name, used as it is: `https://audits{SUBDOMAIN}.megsupportools.com`. May be empty',
    expected: 'lower-case letters, digits and hyphens, including a hyphen at the beginning if there is one; or empty',
    example: '-staging',
    required: 'unless PUBLIC_BASE_URL is set',
    secret: false,
    parse: subdomain,
  },
  PUBLIC_BASE_URL: {
    what: 'Instead of SUBDOMAIN: scheme and host that browsers use, shared with MEGDocs',
    expected: 'https://host without a path (http only for localhost and 127.0.0.1); or SUBDOMAIN, never both',
    example: 'https://audits.megsupportools.com',
    required: 'unless SUBDOMAIN is set',
    secret: false,
    parse: origin,
  },
  REDIRECT_URI: {
    what: `Exactly as in the app registration, trailing slash included. Default: the public base URL and \`${CALLBACK_PATH}\``,
    expected: `the public base URL followed by ${CALLBACK_PATH}, with or without a slash at the end`,
    example: `https://audits.megsupportools.com${CALLBACK_PATH}`,
    secret: false,
    parse: redirectUri([CALLBACK_PATH, `${CALLBACK_PATH}/`]),
  },
  ...MICROSOFT_VARIABLES,
  DATABASE_URL: {
    what: 'Postgres, as the role that serves: it needs no DDL',
    expected:
      'postgres://user:password@host:port/database, special characters percent-encoded; several hosts separated by ' +
      'commas, of which the one that takes writes is used; only sslmode and target_session_attrs as parameters',
    example: 'postgres://broker:<password>@db.internal:5432/token_broker?sslmode=verify-full',
    required: 'always',
    secret: true,
    parse: postgresUrls,
  },
  DATABASE_MIGRATION_URL: {
    what: 'The same database as the role that migrates, not through a pooler. Default: DATABASE_URL',
    expected: 'a URL like DATABASE_URL, to Postgres itself and not to a pooler',
    example: 'postgres://owner:<password>@db.internal:5432/token_broker?sslmode=verify-full',
    secret: true,
    parse: postgresUrls,
  },
  DATABASE_SERVING_ROLE: {
    what: 'Role to which `migrate` gives the rights of the service on rows, each time it runs. It must exist. Default: none, and you give them',
    expected: 'the name of a role of Postgres as in DATABASE_URL, without quotes',
    example: 'token_broker',
    secret: false,
    parse: databaseRole,
  },
  DATABASE_PREPARE: {
    what: '`off` behind PgBouncer older than 1.21 or with `max_prepared_statements` 0: there prepared statements hang',
    expected: 'on or off',
    example: 'off',
    default: 'on',
    secret: false,
    parse: oneOf('on', 'off'),
  },
  DATABASE_BATCHES: {
    what: '`off`: each read, claim and save of tokens is a statement of its own. For comparison; slower under load',
    expected: 'on or off',
    example: 'off',
    default: 'on',
    secret: false,
    parse: oneOf('on', 'off'),
  },
  DATABASE_POOL_SIZE: {
    what: 'Connections per replica; of six and more, two are for reading tokens alone (unless DATABASE_BATCHES is off)',
    expected: 'a whole number from 1 to 200',
    example: '20',
    default: '10',
    secret: false,
    parse: integer(1, 200),
  },
  DATABASE_DEADLINE_MS: {
    what: 'Milliseconds after which a query fails with `database_unavailable`',
    expected: 'milliseconds, a whole number from 100 to 30000',
    example: '2000',
    default: '3000',
    secret: false,
    parse: integer(100, 30_000),
  },
  DATABASE_CA: {
    what: 'Certificate authority of Postgres. With it, the certificate is always verified. Default: the authorities that Node trusts',
    expected: 'PEM certificate(s)',
    example: '<PEM, best as DATABASE_CA_FILE>',
    secret: false,
    parse: authorities,
  },
  SEALING_KEYS: {
    what: 'Keys that seal tokens in the database, newest first: the first seals, all open',
    expected:
      'key_id:key entries, newest first, separated by commas or line breaks; a key is base64 of 32 random bytes',
    example: '<what "token-broker keygen sealing" prints>',
    required: 'always',
    secret: true,
    parse: sealingKeys,
  },
  SESSION_SECRETS: {
    what: 'Secrets that sign the session cookie, newest first',
    expected: 'random text of at least 32 characters; newest first, if several, separated by commas or line breaks',
    example: '<what "token-broker keygen session" prints>',
    required: 'always',
    secret: true,
    parse: list(sessionSecret),
  },
  AUDIT_KEYS: {
    what: 'Keys that chain the audit lines, newest first: the first makes the MACs, all verify. Without them a changed or removed line is not found; the Helm chart requires them',
    expected:
      'key_id:key entries, newest first, separated by commas or line breaks; a key is base64 of 32 random bytes',
    example: '<what "token-broker keygen audit" prints>',
    secret: true,
    parse: sealingKeys,
  },
  AUDIT: {
    what: '`best-effort`: tokens are handed out although their audit lines cannot be written',
    expected: 'required or best-effort',
    example: 'best-effort',
    default: 'required',
    secret: false,
    parse: oneOf('required', 'best-effort'),
  },
  CALLERS_FILE: {
    what: 'File with the callers that may sign requests, and their keys; read again when it changes',
    expected: 'the path of a readable callers file; "token-broker keygen caller <name> --whole-file" prints one',
    example: '/etc/token-broker/callers.json',
    required: 'always',
    secret: false,
    path: true,
    parse: text,
  },
  CALLER_REQUESTS_PER_MINUTE: {
    what: 'Signed requests of one caller that a replica answers in a minute; more are `rate_limited`',
    expected: 'a whole number from 1 to 10000000',
    example: '120000',
    default: '60000',
    secret: false,
    parse: integer(1, 10_000_000),
  },
  RESPONSE_SIGNING_KEY: {
    what: 'Key that signs answers to callers with an `ed25519` key',
    expected: 'key_id:key, the key an Ed25519 private key: base64 of its 32-byte seed or of its PKCS #8 DER',
    example: '<what "token-broker keygen response" prints>',
    required: 'when a caller has an ed25519 key',
    secret: true,
    parse: responseSigningKey,
  },
  ENTRY_URL_CONNECT: {
    what: 'Page in MEGDocs where a user starts to connect',
    expected: 'an absolute https:// URL (http only while the public base URL is http)',
    example: 'https://audits.megsupportools.com/accounts/microsoft/connect/',
    required: 'always',
    secret: false,
    parse: url,
  },
  ENTRY_URL_MANAGE: {
    what: 'Page in MEGDocs that leads a user to the account page',
    expected: 'an absolute https:// URL (http only while the public base URL is http)',
    example: 'https://audits.megsupportools.com/accounts/microsoft/',
    required: 'always',
    secret: false,
    parse: url,
  },
  COMPLETION_URL: {
    what: 'Where MEGDocs completes a connect session; `connect_session` and `handle` are added to its query',
    expected:
      'an absolute https:// URL (http only while the public base URL is http) without connect_session and handle in its query',
    example: 'https://audits.megsupportools.com/accounts/microsoft/complete/',
    required: 'always',
    secret: false,
    parse: url,
  },
  SUPPORT_CONTACT: {
    what: 'How users reach the support of MEGDocs. Pages show it beside the reference; an address or a URL becomes a link and a button',
    expected: 'a mail address, an https:// URL or other words (a telephone number), at most 120 characters on one line',
    example: 'support@megsupportools.com',
    secret: false,
    parse: contact,
  },
  PUBLISHER_NAME: {
    what: 'Legal name of who publishes MEGDocs, for administrators who are asked to approve it',
    expected: 'a name of at most 120 characters on one line',
    example: 'MEG Support Tools Ltd',
    secret: false,
    parse: line,
  },
  PUBLISHER_CONTACT: {
    what: 'How administrators reach the publisher',
    expected: 'a mail address, an https:// URL or other words (a telephone number), at most 120 characters on one line',
    example: 'security@megsupportools.com',
    secret: false,
    parse: contact,
  },
  PRIVACY_NOTICE_URL: {
    what: 'Privacy notice of MEGDocs, for administrators who are asked to approve it',
    expected: 'an absolute https:// URL',
    example: 'https://megsupportools.com/privacy',
    secret: false,
    parse: url,
  },
  PUBLIC_LISTEN: listener('Listener for browsers, behind the ingress', '0.0.0.0:8080'),
  INTERNAL_LISTEN: listener('Listener for the signed API', '0.0.0.0:8081'),
  OPERATIONS_LISTEN: listener('Listener for probes and metrics', '0.0.0.0:9090'),
  OPERATIONS_REPLICAS: {
    what: 'The operations listeners of all replicas, for `doctor --fleet`; a host stands for one replica at each of its addresses. Default: the listener of this machine',
    expected: 'host:port entries, separated by commas or spaces',
    example: 'token-broker-operations.megdocs.svc:9090',
    secret: false,
    parse: list(listenAddress),
  },
  INTERNAL_AUTHORITIES: {
    what: 'Hosts under which callers address the signed API; every signature names one',
    expected: "host or host:port as in the callers' URLs, separated by commas or spaces",
    example: 'token-broker.megdocs.svc:8081',
    required: 'always',
    secret: false,
    parse: list(authority),
  },
  INTERNAL_TLS_CERT_FILE: {
    what: 'Certificate chain (PEM) of the signed API; read again when it changes',
    expected: 'the path of a readable PEM file: the certificate that belongs to INTERNAL_TLS_KEY_FILE, then its chain',
    example: '/etc/token-broker/tls/tls.crt',
    required: 'unless INTERNAL_PLAIN_HTTP=yes',
    secret: false,
    path: true,
    parse: text,
  },
  INTERNAL_TLS_KEY_FILE: {
    what: 'Its private key (PEM); read again when it changes',
    expected: 'the path of a readable PEM file: the private key of INTERNAL_TLS_CERT_FILE, not encrypted',
    example: '/etc/token-broker/tls/tls.key',
    required: 'unless INTERNAL_PLAIN_HTTP=yes',
    secret: false,
    path: true,
    parse: text,
  },
  INTERNAL_PLAIN_HTTP: {
    what: '`yes` to serve the signed API without TLS, where the network encrypts (a service mesh)',
    expected: 'yes, to do without INTERNAL_TLS_CERT_FILE and INTERNAL_TLS_KEY_FILE; or no',
    example: 'yes',
    default: 'no',
    secret: false,
    parse: oneOf('yes', 'no'),
  },
  TRUSTED_PROXIES: {
    what: 'Proxies whose `X-Forwarded-*` headers are trusted. Default: none',
    expected: 'addresses or CIDR ranges, separated by commas or spaces',
    example: '10.0.0.0/8',
    secret: false,
    parse: list(cidr),
  },
  LOG_LEVEL: {
    what: 'Least serious level that is logged. As `LOG_LEVEL_FILE` it can change while the service runs',
    expected: 'fatal, error, warn, info, debug, trace or silent',
    example: 'debug',
    default: 'info',
    secret: false,
    parse: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  },
  KEEP_ALIVE_AFTER_DAYS: {
    what: 'Days after which an unused integration is refreshed, so that its refresh token does not expire (90 days)',
    expected: 'days, a whole number from 1 to 80',
    example: '30',
    default: '45',
    secret: false,
    parse: integer(1, 80),
  },
  LET_GO_AFTER_DAYS: {
    what: "Days without a caller's read after which an integration is deleted",
    expected: 'days, a whole number from 1 to 3650, more than KEEP_ALIVE_AFTER_DAYS',
    example: '180',
    default: '365',
    secret: false,
    parse: integer(1, 3650),
  },
  CANARY_USER: {
    what: 'User id of a connected test user, which is refreshed every five minutes to notice faults before users do. Default: off',
    expected: '1 to 128 of the characters A-Z a-z 0-9 . _ ~ -',
    example: 'canary',
    secret: false,
    parse: userId,
  },
  HARVEST_ALERT_ABOVE: {
    what: 'Different users that one caller key may ask for in an hour before the alarm. Default: 50 % above its busiest hour of the last 14 days, at least 500',
    expected: 'users, a whole number from 1 to 100000000',
    example: '2000',
    secret: false,
    parse: integer(1, 100_000_000),
  },
  HARVEST_FREEZE_ABOVE: {
    what: 'Different users in an hour above which a caller key is frozen. Default: never, because a nightly job of MEGDocs must not lock out all hospitals',
    expected: 'users, a whole number from 1 to 100000000',
    example: '20000',
    secret: false,
    parse: integer(1, 100_000_000),
  },
  DRAIN_SECONDS: {
    what: 'Seconds that requests are still accepted after SIGTERM',
    expected: 'seconds, a whole number from 0 to 300',
    example: '10',
    default: '5',
    secret: false,
    parse: integer(0, 300),
  },
} as const satisfies Record<string, Variable>

type Table = typeof VARIABLES
export type Name = keyof Table
type Value<N extends Name> = ReturnType<Table[N]['parse']>
/** The values that could be parsed. A variable set to an empty text is not set. */
export type Values = { [N in Name]?: Value<N> }
type Certain = { [N in Name]: Table[N] extends { default: string } | { required: 'always' } ? N : never }[Name]
/** The values if there is no problem. */
export type Complete = { [N in Certain]: Value<N> } & { [N in Exclude<Name, Certain>]?: Value<N> }
export const NAMES = Object.keys(VARIABLES) as Name[]

/** Whether every variable that is required or has a default has a value. */
export function isComplete(values: Values): values is Complete {
  return NAMES.every((name) => {
    const { default: byDefault, required }: Variable = VARIABLES[name]
    return values[name] !== undefined || (byDefault === undefined && required !== 'always')
  })
}

function listener<const D extends string>(what: string, byDefault: D) {
  return {
    what,
    expected: 'host:port (an IPv6 address in brackets)',
    example: '127.0.0.1:9000',
    default: byDefault,
    secret: false,
    parse: listenAddress,
  } as const
}

/** The table of variables in Markdown, for the documents. */
export function configurationTable(): string {
  const rows = NAMES.map((name) => {
    const { what, required, default: byDefault, example, path, secret }: Variable = VARIABLES[name]
    const needed = required === undefined ? '' : required === 'always' ? 'yes' : required
    const notes = [...(secret ? ['Secret'] : []), ...(path === true ? ['A path: has no `_FILE` form'] : [])]
    const cells = [`\`${name}\``, [what, ...notes].join('. '), needed, code(byDefault), code(example)]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| variable | what it is | required | default | example |', '|---|---|---|---|---|', ...rows].join('\n')
}

function code(value: string | undefined): string {
  return value === undefined ? '' : `\`${value}\``
}
