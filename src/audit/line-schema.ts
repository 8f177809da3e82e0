import { AUDIT_KINDS, AUDIT_VERSION, type AuditKind } from '../core/audit.ts'

// The JSON Schema of audit lines: a contract with those who store and search them (docs/audit.md#schema). Written to
// openapi/audit-lines.json by `npm run documents`, and compared with that of the last release.

const text = (description: string, maxLength: number, more: object = {}) => ({
  type: 'string',
  maxLength,
  description,
  ...more,
})
const count = (description: string) => ({ type: 'integer', minimum: 0, description })
const ID = { pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }
const MAC = text('First 128 bits of HMAC-SHA-256 in base64.', 22, { minLength: 22 })

const PROPERTIES = {
  level: { const: 'info', description: 'As in every line of the log. LOG_LEVEL does not silence audit lines.' },
  time: text('When the line was made, in UTC.', 24, { format: 'date-time' }),
  service: { const: 'token-broker' },
  audit: {
    enum: Object.keys(AUDIT_KINDS),
    description: `What the line is about. ${Object.entries(AUDIT_KINDS)
      .map(([kind, what]) => `\`${kind}\`: ${what}`)
      .join(' ')} A later release may add values.`,
  },
  v: { const: AUDIT_VERSION, description: 'Version of this form.' },
  life: text('Random id of the process.', 16, { pattern: '^[A-Za-z0-9_-]{16}$' }),
  number: { type: 'integer', minimum: 1, description: 'Number of the line in its life; none is left out.' },
  prev: { ...MAC, description: 'MAC of the line before it in the same life.' },
  user_id: text("MEGDocs' id of the user.", 128),
  caller: text('Name of the caller, or `account-page` for an act of the user.', 40),
  key_id: text('Id of the key that signed the request.', 64),
  peer: text('Address of the connection on which the request came. A proxy or mesh may stand in between.', 45),
  generation: count('Number of the token set: `refreshed at Microsoft` names the same one.'),
  tenant_id: text('Tenant of the Microsoft account.', 36),
  object_id: text('Object id of the Microsoft account.', 36),
  request_id: text('Id of the request; all lines about it have it, and pages show it as the reference.', 36, ID),
  trace_id: text("The caller's trace (W3C Trace Context).", 32, { pattern: '^[0-9a-f]{32}$' }),
  context: text('What the caller said the request is for (Broker-Context), signed.', 256),
  degraded: text('Why the token could not be refreshed, although it was due.', 60),
  code: text('Why the request was refused: a code of the API.', 60),
  reason: text('A reason of the API.', 60),
  detail: text('A word for ops, such as why a signature was refused.', 200),
  method: text('HTTP method.', 16),
  route: text('Route, with its parameters as names.', 100),
  status: { type: 'integer', minimum: 100, maximum: 599, description: 'HTTP status of the answer.' },
  ms: { type: 'number', minimum: 0, description: 'Milliseconds from the arrival of the request to this line.' },
  connect_session: text('Id of the connect session.', 36, ID),
  intent: text('`connect` or `manage`.', 20),
  outcome: text('How the connect session ended.', 40),
  aadsts: count("Microsoft's error number."),
  correlation_id: text("Microsoft's correlation id.", 36),
  freeze: text('Id of the freeze.', 36, ID),
  scope: text('What is frozen: `user`, `tenant` or `caller_key`.', 20),
  value: text('The user, the tenant or the caller key that is frozen.', 128),
  was_connected: { type: 'boolean', description: 'Whether there was something to disconnect.' },
  dry_run: { type: 'boolean', description: 'Nothing was stored.' },
  counts: { type: 'object', additionalProperties: { type: 'integer' }, description: 'Numbers by their names.' },
  action: text('The administrative command.', 100),
  entry: text('Row of the command. Two lines with one entry are about one command.', 36, ID),
  at: text('When the command wrote its row.', 30),
  facts: {
    type: 'object',
    additionalProperties: { type: ['string', 'number', 'boolean'] },
    maxProperties: 12,
    description: 'What the command did.',
  },
  key_ids: { type: 'array', items: { type: 'string' }, description: 'Key ids.' },
  version: text('Release of the broker.', 60),
  heads: {
    type: 'array',
    items: {
      type: 'object',
      properties: { life: { type: 'string' }, number: { type: 'integer' }, mac: { type: 'string' } },
      required: ['life', 'number'],
    },
    description: 'The newest lines of other replicas.',
  },
  msg: { const: 'audit' },
  mac_key: text('Id of the key of `mac`; absent without AUDIT_KEYS.', 32),
  mac_under: {
    type: 'object',
    additionalProperties: MAC,
    description: 'MACs under other keys, by key id: over the text before this member.',
  },
  mac: { ...MAC, description: 'MAC over the text of the line before this member, which is the last.' },
}

const OF_A_REQUEST = ['caller', 'key_id', 'peer', 'request_id', 'method', 'route', 'status'] as const
/** Members that a kind always has, besides those of every line. */
const REQUIRED: Partial<Record<AuditKind, readonly (keyof typeof PROPERTIES)[]>> = {
  token_handed_out: ['user_id', 'generation', ...OF_A_REQUEST],
  refused: ['code', ...OF_A_REQUEST],
  connect_begun: ['user_id', 'connect_session', 'intent', ...OF_A_REQUEST],
  connect_completed: ['user_id', 'connect_session', 'outcome', ...OF_A_REQUEST],
  connect_ended: ['user_id', 'connect_session', 'reason', ...OF_A_REQUEST],
  frozen: ['scope', 'value', 'caller'],
  unfrozen: ['freeze', 'scope', 'value', 'caller'],
  disconnected: ['user_id', 'caller', 'was_connected', 'peer', 'request_id'],
  browser_sessions_ended: ['user_id', ...OF_A_REQUEST],
  imported: ['counts', 'dry_run', ...OF_A_REQUEST],
  let_go: ['user_id'],
  command: ['action', 'entry', 'at', 'facts'],
  callers_changed: ['key_ids', 'counts'],
  life_began: ['version', 'key_ids'],
  keys_changed: ['key_ids'],
  heads: ['heads'],
}

export const AUDIT_LINE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: `urn:token-broker:audit-line:${AUDIT_VERSION}`,
  title: 'Audit line of the token broker',
  description:
    'One JSON object for each line, shorter than 4096 bytes. Releases of the same version may add members and values of `audit`; ' +
    'nothing else changes.',
  type: 'object',
  properties: PROPERTIES,
  required: ['level', 'time', 'service', 'audit', 'v', 'life', 'number', 'msg'],
  allOf: Object.entries(REQUIRED).map(([kind, required]) => ({
    if: { properties: { audit: { const: kind } }, required: ['audit'] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { required },
  })),
}
