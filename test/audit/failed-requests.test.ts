import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { CALLER_PERMISSIONS } from '../../src/core/caller-permissions.ts'
import { openApiDocument } from '../../src/app.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { signingKey, type SigningKey } from '../../src/signature/keys.ts'
import { call } from '../http/signed-call.ts'
import { startWorld } from '../support/world.ts'

// Who was hit? Every failed request of an authenticated caller names caller, key and user in its line
// (docs/design.md#logs-and-metrics), whichever route it is. The routes are those of the OpenAPI document.

interface Operation {
  security: [{ signature: [string] }]
  requestBody?: { content: { 'application/json': { example: object } } }
}
const { paths } = (await openApiDocument()) as { paths: Record<string, Record<string, Operation>> }
const SESSION = '11111111-2222-4333-8444-555555555555'
const FREEZE_OF_A_USER = { scope: 'user', value: '42', reason: 'a test' }
const routes = Object.entries(paths).flatMap(([template, methods]) =>
  Object.entries(methods).map(([method, { security, requestBody }]) => ({
    name: `${method} ${template}`,
    method: method.toUpperCase(),
    path: template.replace('{userId}', '42').replace('{id}', SESSION),
    permission: security[0].signature[0],
    body: template === '/freezes' ? FREEZE_OF_A_USER : requestBody?.content['application/json'].example,
  })),
)
/** Requests that concern no user, or many. */
const WITHOUT_USER =
  /^(get \/(events|integrations|freezes|connect-urls)|post \/integrations\/import|delete \/freezes\/\{id\}|(get|delete) \/connect-sessions\/\{id\})$/

const world = await startWorld(t)
const { replica, sql } = world
const withPermissions = (name: string, permissions: readonly string[]) => {
  const { broker, caller } = generateKey('hmac-sha256', name, Date.now() + 86_400_000, Date.now() - 60_000)
  return { entry: { name, permissions, keys: [broker] }, key: signingKey(caller.key_id, 'hmac-sha256', caller.secret!) }
}
const all = withPermissions('all', CALLER_PERMISSIONS)
const one = withPermissions('one', ['tokens:read'])
const other = withPermissions('other', ['events:read'])
const file = world.env['CALLERS_FILE']!
const { callers } = JSON.parse(readFileSync(file, 'utf8')) as { callers: object[] }
writeFileSync(file, JSON.stringify({ callers: [...callers, all.entry, one.entry, other.entry] }))
replica.services.callers.reload()

type Line = Record<string, unknown>
const linesAbout = (requestId: unknown): Line[] =>
  replica
    .logged()
    .split('\n')
    .filter((line) => line.includes(String(requestId)))
    .map((line) => JSON.parse(line) as Line)

async function named(t: Test, route: (typeof routes)[number], key: SigningKey, caller: string, expected: object) {
  const { method, path, body } = route
  const answer = await call(world, { method, path, key, ...(method === 'GET' || body === undefined ? {} : { body }) })
  t.match(answer, expected, route.name)
  const lines = linesAbout(answer.body.request_id)
  const who = {
    caller,
    key_id: key.keyId,
    user_id: WITHOUT_USER.test(route.name) ? undefined : '42',
    code: answer.body.code as string,
  }
  for (const [what, line] of [
    ['the line', lines.find(({ msg }) => msg === 'request failed')],
    ['the audit line', lines.find(({ audit }) => audit === 'refused')],
  ] as const)
    t.match(line, who, `${route.name}: ${what}`)
  if (path.startsWith('/connect-sessions/'))
    t.equal(lines.find(({ audit }) => audit === 'refused')?.['connect_session'], SESSION)
}

t.test('every route: a caller without the permission', async (t) => {
  t.ok(routes.length >= 15)
  for (const route of routes) {
    const { key, entry } = route.permission === 'tokens:read' ? other : one
    await named(t, route, key, entry.name, { status: 403, body: { code: 'caller_forbidden' } })
  }
})

t.test('every route: the database fails', async (t) => {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public'`
  await sql.unsafe('create schema away')
  for (const { name } of tables) await sql.unsafe(`alter table ${name} set schema away`)
  for (const route of routes)
    await named(t, route, all.key, 'all', { body: { code: /^(internal_error|database_unavailable)$/ } })
  for (const { name } of tables) await sql.unsafe(`alter table away.${name} set schema public`)
})

t.test('a stranger is not named: what it says of itself is not true', async (t) => {
  const answer = await call(world, {
    method: 'GET',
    path: '/tokens/42',
    key: signingKey(all.key.keyId, 'hmac-sha256', Buffer.alloc(32, 7).toString('base64url')),
  })
  t.equal(answer.status, 401)
  for (const line of linesAbout(answer.body.request_id)) t.match(line, { user_id: undefined, caller: undefined })
})
