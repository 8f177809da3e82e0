import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import t from 'tap'
import { MAX_LINE_BYTES } from '../../src/audit/chain.ts'
import { AUDIT_LINE_SCHEMA } from '../../src/audit/line-schema.ts'
import { recordCommand } from '../../src/db/audit-entries.ts'
import { createHeartbeat } from '../../src/heartbeat.ts'
import { IMPORT_ROW } from '../../src/http/examples.ts'
import { auditBreakingChanges, AUDIT_SCHEMA_FILE, readSchema, RELEASED_AUDIT_SCHEMA } from '../support/audit-schema.ts'
import { startWorld } from '../support/world.ts'

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
const validate = ajv.compile(AUDIT_LINE_SCHEMA)
/** The same schema without room for further members: a member that it does not describe is found. */
const strict = ajv.compile({ ...AUDIT_LINE_SCHEMA, $id: 'strict', additionalProperties: false })

t.test('openapi/audit-lines.json is the schema of the code (npm run documents)', async (t) => {
  t.equal(readFileSync(AUDIT_SCHEMA_FILE, 'utf8'), `${JSON.stringify(AUDIT_LINE_SCHEMA, null, 2)}\n`)
})

t.test('nothing in it breaks readers of the last release', async (t) => {
  t.strictSame(auditBreakingChanges(readSchema(RELEASED_AUDIT_SCHEMA), readSchema(AUDIT_SCHEMA_FILE)), [])
})

t.test('a change that breaks readers is named, and an addition is not', async (t) => {
  const present = () => readSchema(AUDIT_SCHEMA_FILE)
  const changed = present()
  delete changed.properties['context']
  changed.properties['generation'] = { type: 'string' }
  changed.properties['user_id']!['maxLength'] = 500
  changed.properties['audit']!['enum'] = ['token_handed_out']
  changed.required = changed.required.filter((name) => name !== 'time')
  changed.allOf[0]!.then.required = ['user_id']
  const told = auditBreakingChanges(present(), changed).join('\n')
  for (const expected of [
    'context was removed',
    'type of generation changed',
    'user_id may be longer',
    'audit lost the value refused',
    'time is no longer in every line',
    'generation is no longer in every token_handed_out',
  ])
    t.ok(told.includes(expected), expected)
  const more = present()
  more.properties['shift'] = { type: 'string' }
  ;(more.properties['audit']!['enum'] as string[]).push('frozen')
  t.strictSame(auditBreakingChanges(present(), more), [])
})

t.test('every line of a running broker has the form of the schema and is short', async (t) => {
  const world = await startWorld(t)
  const { replica, caller } = world
  const user = 'u'.repeat(128)
  await world.connect(user)
  await caller.token(user, 'x'.repeat(256))
  await caller.token('nobody').catch(() => {})
  await caller.send('GET', '/no-such-route')
  await caller.send('POST', '/integrations/import', { rows: [IMPORT_ROW], dry_run: true })
  await caller.endBrowserSessions(user)
  await world.toMicrosoft('42')
  await caller.disconnect(user)
  const { auditLog, database, databaseHealth, log } = replica.services
  auditLog.note({ audit: 'life_began', version: '1.0.0', key_ids: ['audit-1'] })
  auditLog.note({ audit: 'let_go', user_id: user })
  const facts = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`fact_${i}`, 'f'.repeat(128)]))
  await recordCommand(database, 'reseal', facts)
  const other = await world.startReplica()
  await createHeartbeat(other.services).beat()
  await createHeartbeat(other.services).beat()
  await createHeartbeat({ database, databaseHealth, auditLog, log }).beat()
  auditLog.note({ audit: 'life_ended' })
  const texts = [replica, other].flatMap((one) =>
    one
      .logged()
      .split('\n')
      .filter((line) => line.includes('"audit":"')),
  )
  const seen = new Set<unknown>()
  for (const text of texts) {
    const line = JSON.parse(text) as { audit: string }
    seen.add(line.audit)
    t.ok(validate(line), `${text}\n${ajv.errorsText(validate.errors)}`)
    t.ok(strict(line), `${text}\n${ajv.errorsText(strict.errors)}`)
    t.ok(Buffer.byteLength(text) < MAX_LINE_BYTES)
  }
  for (const kind of [
    'token_handed_out',
    'refused',
    'connect_begun',
    'connect_completed',
    'disconnected',
    'imported',
    'browser_sessions_ended',
    'let_go',
    'life_began',
    'life_ended',
    'command',
    'heads',
  ])
    t.ok(seen.has(kind), kind)
})
