import { readdirSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { examine, examineFleet, examineUser } from '../../src/doctor.ts'
import { startWorld } from '../support/world.ts'

// docs/doctor.md shows what --json prints: nothing may be printed that it does not show, nor shown that is not printed.

const text = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8')
const [checks, user, fleet] = [...text.matchAll(/```json\n([^]*?)```/g)].map(
  ([, json = '']) => JSON.parse(json) as object,
)
/** Members that may be absent: those of Microsoft's answer, and what to do about what is well. */
const OPTIONAL = /\.microsoft\.\w+$|\.todo$/

/** Paths of all members; of an array, those of all its entries. */
function paths(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((entry) => paths(entry, `${at}[]`))
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, member]) => paths(member, `${at}.${name}`))]
}
const shape = (value: unknown) => [...new Set(paths(value))].filter((path) => !OPTIONAL.test(path)).sort()
const optional = (value: unknown) => paths(value).filter((path) => OPTIONAL.test(path))

t.test('the shapes in docs/doctor.md are those that are printed', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const { browser, authorizeUrl } = await world.toMicrosoft('42')
  const back = new URL(authorizeUrl).searchParams
  await browser.open(`${back.get('redirect_uri')}?error=access_denied&state=${back.get('state')}`)
  world.entra.control.misbehave('aadsts', 53003, { times: 1 })
  await world.setRemaining('42', 100)
  await world.caller.token('42')
  const { metrics } = world.replica.services
  metrics.callerForbidden('megdocs', 'tokens:read')
  metrics.unreadable('unknown_key')
  await world.replica.operations.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.replica.operations.server.address() as AddressInfo
  await fetch(`${world.replica.internalUrl}/tokens/42`)
  await fetch(`${world.replica.internalUrl}/tokens/42`)

  const { json: one } = await examineUser(world.env, '42')
  const { json: all } = await examineFleet({ ...world.env, OPERATIONS_REPLICAS: `127.0.0.1:${port},127.0.0.1:1` })
  for (const [shown, printed] of [
    [checks, { checks: await examine(world.env) }],
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

t.test(
  'every chapter of the runbooks that doctor points to is there, and the decision tables begin with the command that looks',
  async (t) => {
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
    const [, chapters = ''] = /CHAPTERS[^=]*= \{([^}]*)\}/.exec(code)!
    const pointed = [...`${code}`.matchAll(/runbooks\.md#([a-z][\w-]*)|book\('([\w-]+)'\)/g)].map(
      ([, direct, named]) => direct ?? named!,
    )
    const all = [...pointed, ...[...chapters.matchAll(/'([\w-]+)'/g)].map(([, name]) => name!)]
    t.ok(all.length > 15)
    t.strictSame(
      [...new Set(all)].filter((anchor) => !anchors.includes(anchor)),
      [],
    )
    for (const title of ['Users cannot edit documents', 'A user cannot connect', 'Refreshes fail']) {
      t.match(runbooks, new RegExp(`## ${title}\n\n\`\`\`\nkubectl exec .* doctor --`), title)
    }
  },
)
