import { readFileSync } from 'node:fs'
import t from 'tap'
import { FAILURE_CODES, REASONS } from '../src/core/failure.ts'
import { PROBLEMS } from '../src/http/problem.ts'
import { texts } from '../src/http/pages/texts.ts'
import { openApiText } from '../src/cli/openapi.ts'
import { unexplained } from './support/dependencies.ts'
import { DATABASE_ROLE, PART_NAMES, README, writtenAnew } from './support/documents.ts'
import { JANE, startWorld } from './support/world.ts'

const readme = readFileSync(README, 'utf8')

t.test('what the README repeats of the code is what the code says (npm run documents writes it)', async (t) => {
  const lines = (text: string, name: string) => text.slice(text.indexOf(`<!-- ${name}:begin -->`), text.indexOf(`<!-- ${name}:end -->`)).split('\n')
  const anew = writtenAnew(readme)
  for (const name of PART_NAMES) t.strictSame(lines(readme, name), lines(anew, name), name)
})

t.test('every dependency has a reason, and every reason a dependency', async (t) => {
  t.strictSame(unexplained(), [])
})

t.test('every failure code has a status, words, and its place in OpenAPI and README', async (t) => {
  const document = await openApiText()
  for (const code of FAILURE_CODES) {
    const { status, title, meaning } = PROBLEMS[code]
    t.ok(status >= 400 && status < 600 && title !== '' && meaning !== '', code)
    t.ok(document.includes(`"${code}"`), `${code} is in the OpenAPI document`)
    t.ok(readme.includes(`| \`${code}\` | ${status} |`), `${code} is in the README`)
  }
})

t.test('every reason has words in every language, and its place in OpenAPI and README', async (t) => {
  const document = await openApiText()
  for (const [reason, { whoActs, advice }] of Object.entries(REASONS)) {
    for (const [language, { reasons }] of Object.entries(texts)) {
      const { title, happened, todo } = reasons[reason as keyof typeof REASONS]
      t.ok([title, happened, todo].every((text) => text.trim() !== ''), `${reason} in ${language}`)
    }
    t.ok(document.includes(`"${reason}"`), `${reason} is in the OpenAPI document`)
    t.ok(readme.includes(`| \`${reason}\` | ${whoActs} | ${advice} |`), `${reason} is in the README`)
  }
  t.strictSame(Object.keys(texts.de.reasons).sort(), Object.keys(texts.en.reasons).sort())
})

t.test('the role that the README describes is enough to serve, and cannot change the schema', async (t) => {
  const world = await startWorld(t)
  const role = `token_broker_${process.pid}`
  await world.sql.unsafe(DATABASE_ROLE.replaceAll('token_broker', role).replace(':password', 'p'))
  t.teardown(async () => {
    await world.sql.unsafe(`drop owned by "${role}"; drop role "${role}"`)
  })
  const url = Object.assign(new URL(world.env['DATABASE_URL']!), { username: role, password: 'p' }).href
  const { caller, services, stop } = await world.startReplica({ DATABASE_URL: url })
  await world.connect('42')
  await world.setRemaining('42', 10)
  t.match(await caller.token('42'), { account: { username: JANE } })
  await caller.disconnect('42')
  t.equal(await world.row('42'), undefined)
  await t.rejects(services.database.run((db) => db.execute('alter table oauth2_integration add column x int')), { message: /database 42501/ })
  await stop()
})
