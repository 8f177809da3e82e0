import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { diagnose, diagnoseFleet, diagnoseUser } from '../../src/doctor.ts'
import { startWorld } from '../support/world.ts'

// docs/doctor.md shows what --json prints: every member that is printed, and no other.

const text = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')
const [checks, user, fleet] = [...text.matchAll(/```json\n([^]*?)```/g)].map(
  ([, json = '']) => JSON.parse(json) as object,
)
/** Members that may be absent: those of Microsoft's answer, and the advice of a finding. */
const OPTIONAL = /\.microsoft\.\w+$|(?:checks\[\]|database\.\w+|conclusion|other_conclusions\[\])\.advice$/

/** Paths of all members; of an array, those of all its entries. */
function paths(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((entry) => paths(entry, `${at}[]`))
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, member]) => paths(member, `${at}.${name}`))]
}
const shape = (value: unknown) => [...new Set(paths(value))].filter((path) => !OPTIONAL.test(path)).sort()
const optional = (value: unknown) => paths(value).filter((path) => OPTIONAL.test(path))

t.test('docs/doctor.md shows the JSON that is printed', async (t) => {
  const world = await startWorld(t, {
    env: { MICROSOFT_PREVIOUS_CLIENTS: 'aaaaaaaa-0000-4000-8000-00000000000a:secret-of-an-earlier-registration' },
  })
  await world.connect('42')
  const { browser, authorizeUrl } = await world.toMicrosoft('42')
  const back = new URL(authorizeUrl).searchParams
  await browser.open(`${back.get('redirect_uri')}?error=access_denied&state=${back.get('state')}`)
  world.entra.control.misbehave('aadsts', 53003, { times: 1 })
  await world.setRemaining('42', 100)
  await world.caller.token('42')
  const { metrics, databaseHealth, freezes, harvest } = world.replica.services
  await freezes.freeze({ scope: 'user', value: '42', reason: 'test', caller: 'test' })
  await harvest.merge()
  metrics.callerForbidden('megdocs', 'tokens:read')
  metrics.unreadable('unknown_key')
  metrics.answered('internal', 'GET', '/tokens/:userId', 503, 0.1)
  databaseHealth.failed('53100')
  await world.replica.operations.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.replica.operations.server.address() as AddressInfo
  await fetch(`${world.replica.internalUrl}/tokens/42`)
  await fetch(`${world.replica.internalUrl}/tokens/42`)

  const { json: one } = await diagnoseUser(world.env, '42')
  const { json: all } = await diagnoseFleet({ ...world.env, OPERATIONS_REPLICAS: `127.0.0.1:${port},127.0.0.1:1` })
  for (const [shown, printed] of [
    [checks, (await diagnose(world.env)).json],
    [user, one],
    [fleet, all],
  ] as const) {
    t.strictSame(shape(printed), shape(shown))
    t.strictSame(
      optional(printed).filter((path) => !optional(shown).includes(path)),
      [],
    )
  }
})

t.test('every runbook that doctor names exists, and each decision table begins with a doctor command', async (t) => {
  const runbooks = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8')
  const anchors = [...runbooks.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
  const folder = new URL('../../src/doctor/', import.meta.url)
  const code = readdirSync(folder)
    .map((file) => readFileSync(new URL(file, folder), 'utf8'))
    .join('')
  const [, ofDatabase = ''] = /DATABASE_RUNBOOKS[^=]*= \{([^}]*)\}/.exec(code)!
  const pointed = [...code.matchAll(/runbooks\.md#([a-z][\w-]*)|(?:runbook\(|anchor: )'([\w-]+)'/g)].map(
    ([, direct, named]) => direct ?? named!,
  )
  const all = [...pointed, ...[...ofDatabase.matchAll(/'([\w-]+)'/g)].map(([, name]) => name!)]
  t.ok(all.length > 15)
  t.strictSame(
    [...new Set(all)].filter((anchor) => !anchors.includes(anchor)),
    [],
  )
  for (const title of ['Users cannot edit documents', 'A user cannot connect', 'Refreshes fail']) {
    t.match(runbooks, new RegExp(`## ${title}\n\n\`\`\`\nkubectl exec .* doctor --`), title)
  }
})
