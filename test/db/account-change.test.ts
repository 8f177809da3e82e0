import t from 'tap'
import { JANE, startWorld } from '../support/world.ts'

// Sealed values are bound to the id of their row, and a row gets a new id when its Microsoft account changes
// (docs/security.md#sealing). So what was stored of an earlier account does not open in the row as it stands.

const world = await startWorld(t)
const { entra, caller, sql } = world
const OMAR = 'omar@contoso.com'
type Body = Record<string, any>
type Columns = { access_token: Buffer; refresh_token: Buffer }

const idOf = async (userId: string) => (await world.row(userId))!['id']
/** A replica that has read nothing yet: it opens what is stored. */
const readWithoutMemory = async (userId: string) => {
  const replica = await world.startReplica()
  const answer = await replica.caller.send('GET', `/tokens/${userId}`)
  await replica.stop()
  return answer
}
const putBack = (userId: string, old: Columns, columns: (keyof Columns)[]) =>
  sql`update oauth2_integration set ${sql(old, ...columns)} where user_id = ${userId}`

for (const [name, columns, isExpired] of [
  ['the access token', ['access_token'], false],
  ['the refresh token', ['refresh_token'], true],
  ['both', ['access_token', 'refresh_token'], false],
  ['both, and the access token has expired', ['access_token', 'refresh_token'], true],
] as const) {
  t.test(`after a switch, ${name} of the earlier account put back into the row: token_unreadable`, async (t) => {
    const userId = `switched-${name.replaceAll(/\W+/g, '-')}`
    await world.connect(userId, JANE)
    const old = (await world.row(userId)) as unknown as Columns & { id: string }
    const oldTokens = await world.stored(userId)
    await world.connect(userId, OMAR, { allowSwitch: true })
    t.not(await idOf(userId), old.id, 'the row has a new id')
    t.match((await caller.token(userId)).account, { username: OMAR })
    await putBack(userId, old, [...columns])
    if (isExpired) await world.setRemaining(userId, -1)
    const before = entra.control.tokenRequests().total
    const answer = await readWithoutMemory(userId)
    t.match(answer, { status: 500, body: { code: 'token_unreadable' } })
    for (const secret of Object.values(oldTokens!)) t.notOk(JSON.stringify(answer).includes(secret))
    t.equal(entra.control.tokenRequests().total, before, 'nothing of it went to Microsoft')
  })
}

t.test('a reconnect of the same account keeps the row', async (t) => {
  await world.connect('faithful', JANE)
  const id = await idOf('faithful')
  await world.connect('faithful', JANE)
  await world.connect('faithful', JANE, { allowSwitch: true })
  t.equal(await idOf('faithful'), id)
})

const EARLIER = new Date(Date.now() - 3_600_000).toISOString()
const LATER = new Date(Date.now() - 1_800_000).toISOString()
const importRow = async (row: Body) => {
  const { body } = await caller.send('POST', '/integrations/import', { rows: [row] })
  return (body as Body)['results'][0]
}
const refreshToken = (account: string) => entra.control.issueRefreshToken({ account })
const accountOf = async (userId: string) => {
  const { tenant_id, object_id } = (await world.row(userId))!
  return { tenant_id, object_id }
}

t.test('an imported row whose account was never known gets a new id from what replaces it', async (t) => {
  const row = { user_id: 'imported', refresh_token: refreshToken(JANE), updated_at: EARLIER }
  t.match(await importRow(row), { result: 'imported' })
  const old = (await world.row('imported')) as unknown as Columns & { id: string }
  t.match(await importRow({ ...row, refresh_token: refreshToken(OMAR), updated_at: LATER }), { result: 'imported' })
  const second = await idOf('imported')
  t.not(second, old.id, 'by another import')
  await putBack('imported', old, ['refresh_token'])
  t.match(await readWithoutMemory('imported'), { status: 500, body: { code: 'token_unreadable' } })
  await world.connect('imported', OMAR)
  t.not(await idOf('imported'), second, 'by a connect')
})

t.test('an import of the same account keeps the row; its first refresh does too', async (t) => {
  t.match(await importRow({ user_id: 'kept', refresh_token: refreshToken(JANE), updated_at: EARLIER }), {
    result: 'imported',
  })
  const id = await idOf('kept')
  t.match((await caller.token('kept')).account, { username: JANE })
  t.equal(await idOf('kept'), id, 'the account of a refresh is that of its token')
  await sql`update oauth2_integration set refreshed_at = ${EARLIER}, connected_at = ${EARLIER} where user_id = 'kept'`
  const row = { user_id: 'kept', refresh_token: refreshToken(JANE), updated_at: LATER, ...(await accountOf('kept')) }
  t.match(await importRow(row), { result: 'imported' })
  t.equal(await idOf('kept'), id)
})
