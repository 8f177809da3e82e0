import t from 'tap'
import { runCommandLine } from '../../src/cli/commands.ts'
import { TABLES_OF_USERS, WITHHELD_COLUMNS } from '../../src/db/people.ts'
import { inventoryRows, schemaColumns } from '../support/data-inventory.ts'
import { startWorld } from '../support/world.ts'

// The commands for an incident, for the end of a contract and for a person who asks.

const world = await startWorld(t)
const OTHER = '11111111-2222-4333-8444-555555555555'

async function run(...argv: string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await runCommandLine(argv, {
    env: world.env,
    now: () => Date.now(),
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

t.test('freeze and unfreeze: nothing without --apply, then at once, in words and as JSON', async (t) => {
  await world.connect('42')
  const tenant = String((await world.row('42'))!['tenant_id'])
  t.match(await run('freeze', '--tenant', tenant, '--reason', 'incident'), {
    code: 0,
    out: /Dry run: .*1 integrations/,
  })
  t.equal((await world.caller.send('GET', '/tokens/42')).status, 200)
  const { code, out, err } = await run(
    'freeze',
    '--tenant',
    tenant,
    '--reason',
    'incident',
    '--hours',
    '2',
    '--apply',
    '--json',
  )
  t.equal(code, 0)
  t.match(JSON.parse(out), {
    applied: true,
    created: true,
    scope: 'tenant',
    value: tenant,
    expires_at: String,
    integrations: 1,
  })
  t.notMatch(err, /error/)
  const entries = await world.sql`select facts from audit_entry where action = 'freeze'`
  t.match(entries, [{ facts: { scope: 'tenant', value: tenant } }], 'a replica writes the audit line')
  t.match(await world.caller.send('GET', '/tokens/42'), { status: 403, body: { code: 'frozen' } })
  t.match(await run('unfreeze'), { code: 0, out: new RegExp(`tenant ${tenant} .*incident`) })
  t.match(await run('unfreeze', '--tenant', tenant), { code: 0, out: /Dry run/ })
  t.match(await run('unfreeze', '--tenant', tenant, '--apply'), { code: 0, out: /Lifted: 1/ })
  t.match(await run('unfreeze', '--tenant', tenant, '--apply'), { code: 1, out: /Lifted: 0/ })
  t.equal((await world.caller.send('GET', '/tokens/42')).status, 200)
  t.match(await run('freeze', '--key', 'no-such-key', '--reason', 'x'), { code: 0, err: /no such key/ })
})

t.test('wrong arguments are named and change nothing', async (t) => {
  for (const argv of [
    ['freeze', '--reason', 'x'],
    ['freeze', '--user', '1'],
    ['freeze', '--user', '1', '--tenant', OTHER, '--reason', 'x'],
    ['freeze', '--tenant', 'contoso', '--reason', 'x'],
    ['freeze', '--user', '1', '--reason', 'x', '--hours', '0'],
    ['unfreeze', '--apply'],
    ['disconnect', '--tenant', 'contoso'],
    ['disconnect'],
    ['export', '--user', 'a b'],
  ])
    t.equal((await run(...argv)).code, 2, argv.join(' '))
})

t.test(
  'disconnect --tenant counts first, then disconnects everybody of that organisation and nobody else',
  async (t) => {
    for (const user of ['d1', 'd2', 'd3']) await world.connect(user)
    await world.sql`update oauth2_integration set tenant_id = ${OTHER} where user_id in ('d1', 'd2')`
    t.match(await run('disconnect', '--tenant', OTHER.toUpperCase()), { code: 0, out: /Dry run: 2 users/ })
    t.ok(await world.row('d1'))
    const { code, out } = await run('disconnect', '--tenant', OTHER, '--apply', '--json')
    t.equal(code, 0)
    t.match(JSON.parse(out), { applied: true, found: 2, disconnected: 2, tenant_unknown: 0 })
    t.equal(await world.row('d1'), undefined)
    t.equal(await world.row('d2'), undefined)
    t.ok(await world.row('d3'))
    const events = await world.sql`select user_id, caller from event where type = 'disconnected' order by id`
    t.strictSame(
      events.map((row) => [row['user_id'], row['caller']]),
      [
        ['d1', 'token-broker disconnect'],
        ['d2', 'token-broker disconnect'],
      ],
    )
    t.match(await run('disconnect', '--tenant', OTHER, '--apply'), { code: 0, out: /Disconnected 0 of 0/ })
  },
)

t.test('export has every row of the user and no secret', async (t) => {
  await world.connect('e1')
  await world.connect('e2')
  const page = await world.toMicrosoft('e1')
  t.ok(page.id)
  await run('freeze', '--user', 'e1', '--reason', 'asked for it', '--apply')
  const stored = (await world.stored('e1'))!
  const { code, out } = await run('export', '--user', 'e1')
  t.equal(code, 0)
  const { user_id, tables } = JSON.parse(out) as { user_id: string; tables: Record<string, Record<string, unknown>[]> }
  t.equal(user_id, 'e1')
  for (const { name } of TABLES_OF_USERS) t.ok(tables[name]!.length > 0, name)
  t.match(tables['oauth2_integration'], [{ username: 'jane@contoso.com', access_token: '(withheld)' }])
  t.match(tables['event'], [{ type: 'connected' }, { type: 'frozen' }])
  t.notMatch(out, /"e2"/, 'nobody else')
  for (const secret of [stored.accessToken, stored.refreshToken]) t.notOk(out.includes(secret))
  const [sealed] =
    await world.sql`select encode(refresh_token, 'hex') as hex from oauth2_integration where user_id = 'e1'`
  t.notOk(out.includes(String(sealed!['hex']).slice(0, 40)))
  await run('unfreeze', '--user', 'e1', '--apply')
})

t.test(
  'every column of the inventory that holds data of a user is in the export, or is named as withheld',
  async (t) => {
    const personal = inventoryRows('Columns')
      .filter(({ cells }) => cells[2]!.startsWith('user'))
      .flatMap(({ names }) => names)
    t.ok(personal.length > 25)
    const exported = new Set<string>(TABLES_OF_USERS.map(({ name }) => name))
    t.strictSame(
      personal.filter((column) => !exported.has(column.split('.')[0]!)),
      [],
    )
    t.strictSame(
      schemaColumns().filter((column) => column.endsWith('.user_id') && !exported.has(column.split('.')[0]!)),
      [],
      'no table with a user id is left out',
    )
    const columns = schemaColumns()
    t.strictSame(
      WITHHELD_COLUMNS.filter((column) => !columns.includes(column)),
      [],
    )
  },
)
