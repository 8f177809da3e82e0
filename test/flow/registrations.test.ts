import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readContents } from '../../src/config/configured-files.ts'
import { runAllChecks } from '../../src/doctor.ts'
import { createReload } from '../../src/reload.ts'
import { readiness } from '../../src/readiness.ts'
import { systemClock } from '../../src/services.ts'
import { JANE, startWorld, type Replica, type World } from '../support/world.ts'

// A refresh token belongs to the app registration that got it. Moving to another one disconnects nobody
// (docs/runbooks.md#move-to-another-registration).

const NEW = '7e57ab1e-0000-4000-8000-00000000ab1e'
const STRANGE = '7e57ab1e-0000-4000-8000-0000000057ab'
const NEW_SECRET = 'mTr8Q~Zq5vNd.h2LbW_sKy8cPfJgXaEo6iUzR4'
const RENEWED = 'pWx8Q~Ht7cMr.k9GvD_nBz3sLfQjYaTo5iEuC1'
const PAST = Date.now() - 86_400_000

/** Users 1 to 3 have connected with the old registration; the replica `moved` uses the new one and knows the old. */
async function halfMoved(t: Test, changes: Record<string, string> = {}) {
  const world = await startWorld(t, { env: changes })
  const { entra } = world
  entra.control.registerApp({ clientId: NEW, clientSecrets: [NEW_SECRET] })
  for (const user of ['1', '2', '3']) await world.connect(user)
  let shiftMs = 0
  const clock = { ...systemClock, elapsed: () => systemClock.elapsed() + shiftMs }
  const ofNew = { MICROSOFT_CLIENT_ID: NEW, MICROSOFT_CLIENT_SECRET: NEW_SECRET }
  const moved = await world.startReplica(
    { ...ofNew, MICROSOFT_PREVIOUS_CLIENTS: `${entra.clientId}:${entra.clientSecret}`, ...changes },
    { clock },
  )
  world.sendBrowsersTo(moved)
  for (const user of ['4', '5', '6']) await world.connect(user, 'omar@contoso.com')
  return { world, moved, ofNew, old: entra.clientId, pass: (ms: number) => (shiftMs += ms) }
}

const expire = (world: World) =>
  world.sql`update oauth2_integration set access_token_expires_at = now() - interval '1 second'`
const marked = async (world: World): Promise<unknown[]> => [
  ...(await world.sql`select user_id from oauth2_integration where status <> 'active' or failure is not null`),
]
const clientsOf = async (world: World): Promise<unknown[]> => [
  ...(await world.sql`select client_id, count(*)::int from oauth2_integration group by 1 order by 1`),
]
const read = ({ caller }: Replica, user: string) => caller.send('GET', `/tokens/${user}`)
const check = async ({ services }: Replica, name: string) =>
  (await runAllChecks(services)).find((one) => one.name === name)

t.test('after the move, users of both registrations get fresh tokens, each from its own', async (t) => {
  const { world, moved, old } = await halfMoved(t)
  t.strictSame(await clientsOf(world), [
    { client_id: old, count: 3 },
    { client_id: NEW, count: 3 },
  ])
  await expire(world)
  world.entra.control.resetCounters()
  for (const user of ['1', '2', '3', '4', '5', '6']) t.match(await read(moved, user), { status: 200 }, user)
  const { recent, byOutcome } = world.entra.control.tokenRequests()
  t.strictSame(byOutcome, { tokens: 6 })
  t.strictSame(
    recent.map(({ values }) => values['client_id']),
    [old, old, old, NEW, NEW, NEW],
  )
  t.strictSame(await marked(world), [])
  // A reconnect brings a user to the new registration.
  await world.connect('1')
  t.match(await world.row('1'), { client_id: NEW })
  const registrations = (await check(moved, 'registrations'))!
  t.match(registrations, { result: 'ok', message: new RegExp(`4 integrations of the current registration ${NEW}`) })
  t.match(registrations.message, `2 integrations of ${old}, of MICROSOFT_PREVIOUS_CLIENTS`)
})

t.test('the old secret expires: the other half is unharmed, and nobody is marked', async (t) => {
  const { world, moved, old, pass } = await halfMoved(t)
  const { control, clientSecret } = world.entra
  control.configureApp({ clientSecrets: [{ value: clientSecret, expiresAt: PAST }] })
  await expire(world)
  // More rounds than it takes to open a breaker, with both halves mixed.
  for (let round = 0; round < 3; round++) {
    for (const user of ['1', '2', '3'])
      t.match(await read(moved, user), {
        status: 503,
        body: { code: 'broker_misconfigured', reason: 'client_credential', who_acts: 'ops' },
      })
    for (const user of ['4', '5', '6']) t.match(await read(moved, user), { status: 200 }, `user ${user}`)
    await world.sql`update oauth2_integration set retry_at = null`
    await expire(world)
  }
  t.strictSame(await marked(world), [])
  t.match(moved.services.microsoft.breakers(), [
    { clientId: NEW, state: { mode: 'closed' } },
    { clientId: old, state: { mode: 'open', reason: 'client_credential' } },
  ])
  const ready = await readiness(moved.services)
  t.match(ready.breaker, { mode: 'closed' })
  t.match(ready.previous_breakers, [{ client_id: old, mode: 'open', reason: 'client_credential' }])
  const { payload } = await moved.operations.inject('/metrics')
  t.match(payload, 'token_broker_breaker_open{reason=""} 0\n')
  t.match(payload, `token_broker_breaker_open{reason="client_credential",client_id="${old}"} 1\n`)
  t.match((await check(moved, 'client_credential'))?.message, new RegExp(`refuses client secret 1 of 1 of ${old}`))

  // A token that is still valid is handed out, whatever its registration.
  await world.setRemaining('1', 100)
  t.match(await read(moved, '1'), { status: 200, body: { degraded: { reason: 'client_credential' } } })

  control.configureApp({ clientSecrets: [clientSecret] })
  await expire(world)
  await world.sql`update oauth2_integration set retry_at = null`
  pass(60_000)
  t.match(await read(moved, '1'), { status: 200 }, 'works again without a reconnect')
})

t.test('the secret of an earlier registration is replaced in its file while the service runs', async (t) => {
  const file = join(t.testdir(), 'previous')
  writeFileSync(file, '')
  const started = await startWorld(t)
  started.entra.control.registerApp({ clientId: NEW, clientSecrets: [NEW_SECRET] })
  await started.connect('1')
  const { clientId, clientSecret, control } = started.entra
  writeFileSync(file, `${clientId}:${clientSecret}`)
  const changes = {
    MICROSOFT_CLIENT_ID: NEW,
    MICROSOFT_CLIENT_SECRET: NEW_SECRET,
    MICROSOFT_PREVIOUS_CLIENTS_FILE: file,
  }
  const contents = readContents({ ...started.env, ...changes })
  const moved = await started.startReplica(changes)
  const reload = createReload({ ...started.env, ...changes }, moved.services, {
    contents,
    server: moved.internal.server,
  })
  control.configureApp({ clientSecrets: [RENEWED] })
  writeFileSync(file, `${clientId}:${clientSecret}\n${clientId}:${RENEWED}`)
  await reload.check()
  await expire(started)
  t.match(await read(moved, '1'), { status: 200 })

  writeFileSync(file, 'no entry')
  await reload.check()
  t.match(moved.services.rotating.refusedChanges, [{ variable: 'MICROSOFT_PREVIOUS_CLIENTS' }])
  await expire(started)
  t.match(await read(moved, '1'), { status: 200 }, 'what was in use stays')
})

t.test('a registration that is not configured: ops hear which, and nobody is marked', async (t) => {
  const { world, moved, old, ofNew } = await halfMoved(t)
  const forgetful = await world.startReplica(ofNew)
  await expire(world)
  world.entra.control.resetCounters()
  t.match(await read(forgetful, '1'), {
    status: 503,
    body: { code: 'broker_misconfigured', reason: 'registration_unknown', who_acts: 'ops' },
  })
  t.equal(world.entra.control.tokenRequests().total, 0, 'nothing was sent')
  t.match(await read(forgetful, '4'), { status: 200 }, 'the other half is unharmed')
  t.strictSame(await marked(world), [])
  await world.setRemaining('1', 100)
  t.match(await read(forgetful, '1'), { status: 200, body: { degraded: { reason: 'registration_unknown' } } })
  t.match(await check(forgetful, 'registrations'), {
    result: 'failed',
    message: new RegExp(`3 integrations of ${old}, which is not configured`),
    advice: /MICROSOFT_PREVIOUS_CLIENTS/,
  })
  await expire(world)
  t.match(await read(moved, '1'), { status: 200 }, 'a replica that knows it goes on')
})

t.test('integrations that name no registration belong to the registration of the first start', async (t) => {
  const { world, moved, old } = await halfMoved(t)
  t.strictSame([...(await world.sql`select client_id from deployment`)], [{ client_id: old }])
  await world.sql`update oauth2_integration set client_id = null where client_id = ${old}`
  await expire(world)
  t.match(await read(moved, '1'), { status: 200 })
  t.equal(world.entra.control.tokenRequests().recent.at(-1)?.values['client_id'], old)
  t.match((await check(moved, 'registrations'))?.message, `3 integrations of ${old}`)

  // Upgrade and move at once: it cannot be known which registration they are of.
  await world.sql`update deployment set client_id = null`
  await world.sql`update oauth2_integration set client_id = null`
  await t.rejects(
    world.startReplica({
      MICROSOFT_CLIENT_ID: NEW,
      MICROSOFT_CLIENT_SECRET: NEW_SECRET,
      MICROSOFT_PREVIOUS_CLIENTS: `${old}:${world.entra.clientSecret}`,
    }),
    { code: 'broker_misconfigured', facts: { detail: /start once without MICROSOFT_PREVIOUS_CLIENTS/ } },
  )
  t.strictSame([...(await world.sql`select client_id from deployment`)], [{ client_id: null }], 'nothing was recorded')
  await t.resolves(world.startReplica())
})

t.test('a connect that began before the move is completed with the registration that it began with', async (t) => {
  const { world, moved, old } = await halfMoved(t)
  world.sendBrowsersTo(world.replica)
  const { id, browser, authorizeUrl } = await world.toMicrosoft('7')
  t.match(authorizeUrl, `client_id=${old}`)
  await browser.open(world.entra.control.signIn({ account: JANE, authorizeUrl }))
  await t.resolves(moved.caller.complete(id, '7', world.handle(id) ?? ''))
  t.match(await world.row('7'), { client_id: old })
})

t.test('imported rows may name their registration, and only one that is configured', async (t) => {
  const { world, moved, old } = await halfMoved(t)
  const { control } = world.entra
  const updated_at = new Date(Date.now() - 60_000).toISOString()
  const token = control.issueRefreshToken({ account: JANE, clientId: old })
  const send = async (...rows: object[]) =>
    ((await moved.caller.send('POST', '/integrations/import', { rows })).body as { results: object[] }).results
  t.match(
    await send(
      { user_id: '11', refresh_token: token, updated_at, client_id: old.toUpperCase() },
      { user_id: '12', refresh_token: control.issueRefreshToken({ account: JANE, clientId: NEW }), updated_at },
      { user_id: '13', refresh_token: token, updated_at, client_id: STRANGE },
      { user_id: '14', refresh_token: token, updated_at, client_id: 'no-guid' },
    ),
    [
      { user_id: '11', result: 'imported' },
      { user_id: '12', result: 'imported' },
      { result: 'invalid', reasons: ['client_id: MICROSOFT_CLIENT_ID or one of MICROSOFT_PREVIOUS_CLIENTS'] },
      { result: 'invalid', reasons: ['client_id: a GUID'] },
    ],
  )
  t.match(await world.row('11'), { client_id: old })
  t.match(await world.row('12'), { client_id: NEW })
  for (const user of ['11', '12']) t.match(await read(moved, user), { status: 200 }, user)
  t.strictSame(await marked(world), [])

  // Forgotten at first: the same rows again, with their registration, correct it.
  const other = control.issueRefreshToken({ account: JANE, clientId: old })
  await send({ user_id: '15', refresh_token: other, updated_at })
  t.match(await world.row('15'), { client_id: NEW })
  const named = { user_id: '15', refresh_token: other, updated_at, client_id: old }
  t.match(await send(named), [{ result: 'imported' }])
  t.match(await send(named), [{ result: 'unchanged' }])
  t.match(await read(moved, '15'), { status: 200 })
})

t.test('a challenge of Graph goes to the registration of the row, and a kept one to the new one', async (t) => {
  const { world, moved, old } = await halfMoved(t, { CONTINUOUS_ACCESS_EVALUATION: 'on' })
  const { control } = world.entra
  const claims = JSON.stringify({ access_token: { acrs: { essential: true, value: 'c1' } } })
  const asked = { access_token: { acrs: { essential: true, value: 'c1' }, xms_cc: { values: ['cp1'] } } }
  const force = async () =>
    moved.caller.send('POST', '/tokens/1/refresh', {
      generation: Number((await world.row('1'))!['generation']),
      claims,
    })
  t.match(await force(), { status: 200 })
  const { values } = control.tokenRequests().recent.at(-1)!
  t.equal(values['client_id'], old)
  t.same(JSON.parse(values['claims']!), asked)

  control.misbehave('aadsts', 50076, { times: 1 })
  t.match(await force(), { status: 409, body: { code: 'reconnect_required', reason: 'mfa_required' } })
  const { id, browser, authorizeUrl } = await world.toMicrosoft('1')
  const { searchParams } = new URL(authorizeUrl)
  t.equal(searchParams.get('client_id'), NEW)
  t.same(JSON.parse(searchParams.get('claims')!), asked)
  await browser.open(control.signIn({ account: JANE, authorizeUrl }))
  await moved.caller.complete(id, '1', world.handle(id) ?? '')
  t.match(await world.row('1'), { client_id: NEW, challenge: null, claims_hash: null, status: 'active' })
})
