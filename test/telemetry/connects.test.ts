import t from 'tap'
import { JANE, startWorld } from '../support/world.ts'

// The metrics of attempts to connect: how far they come, and how they end. Each attempt counts once.

t.test('attempts to connect are counted by how far they come and how they end', async (t) => {
  const world = await startWorld(t)
  const { caller, entra, replica } = world
  const counts = async () => {
    const { payload } = await replica.operations.inject('/metrics')
    const pattern = /^token_broker_(?:connect_steps|connects)_total\{(.*)\} ([1-9]\d*)$/gm
    return Object.fromEntries([...payload.matchAll(pattern)].map(([, labels, value]) => [labels, Number(value)]))
  }
  const steps = (begun: number, sent: number, returned: number, connected?: number) => ({
    'step="begun"': begun,
    'step="sent_to_microsoft"': sent,
    'step="returned"': returned,
    ...(connected === undefined ? {} : { 'step="connected"': connected }),
  })
  t.strictSame(await counts(), {}, 'every series that an alert needs exists and is 0')
  const { payload } = await replica.operations.inject('/metrics')
  for (const series of [
    'connect_steps_total{step="begun"}',
    'connect_steps_total{step="connected"}',
    'degraded_tokens_total{reason="broker_trouble"}',
    'database_failures_total{kind="read_only"}',
    'database_problem{kind="disk_full"}',
  ])
    t.ok(payload.includes(`token_broker_${series} 0\n`), series)
  for (const series of [
    'connections{pool="reads",state="idle"} 2',
    'connections{pool="statements",state="idle"} 4',
    'waiting{pool="reads"} 0',
  ])
    t.ok(payload.includes(`token_broker_database_${series}\n`), series)

  const { id } = await world.connect('42')
  await world.complete(id, '42')
  await world.complete(id, '42')
  t.strictSame(
    await counts(),
    { ...steps(1, 1, 1, 1), 'outcome="connected",reason=""': 1 },
    'a repeated completion is the same attempt',
  )

  const { browser, authorizeUrl } = await world.toMicrosoft('43')
  const asked = new URL(authorizeUrl).searchParams
  const back = `${asked.get('redirect_uri')}?error=access_denied&state=${asked.get('state')}`
  await browser.open(back)
  await browser.open(back)
  const declined = { 'outcome="connected",reason=""': 1, 'outcome="refused",reason="not_approved"': 1 }
  t.strictSame(
    await counts(),
    { ...steps(2, 2, 2, 1), ...declined },
    'declined at Microsoft, and the page loaded again',
  )

  const other = await world.toMicrosoft('44')
  await other.browser.open(entra.control.signIn({ account: JANE, authorizeUrl: other.authorizeUrl }))
  entra.control.configureApp({ clientSecrets: ['another-secret-than-the-brokers-own-value'] })
  await world.complete(other.id, '44').catch(() => {})
  t.strictSame(await counts(), {
    ...steps(3, 3, 3, 1),
    ...declined,
    'outcome="failed",reason="client_credential"': 1,
  })

  await world.toMicrosoft('45')
  await caller.beginConnect('46', { intent: 'manage' })
  t.match(await counts(), steps(4, 4, 3, 1), 'one that never returns; the account page is no attempt')
})
