import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { FAILURE_CODES, REASONS } from '../src/core/failure.ts'
import { PROBLEMS } from '../src/http/problem.ts'
import { texts } from '../src/texts/texts.ts'
import { PERMISSIONS } from '../src/core/microsoft-permissions.ts'
import { openApiText } from '../src/cli/openapi.ts'
import { unexplained } from './support/dependencies.ts'
import { generatedReference, REFERENCE_PATHS, storedReference } from './support/documents.ts'

const ROOT = new URL('../', import.meta.url)
const failures = storedReference('docs/reference/failures.md')

t.test('docs/reference says what the code says (npm run documents writes it)', async (t) => {
  for (const path of REFERENCE_PATHS)
    t.strictSame(storedReference(path).split('\n'), generatedReference(path).split('\n'), path)
})

t.test('docs/reference holds generated documents only, and the README leads to each', async (t) => {
  const stored = readdirSync(new URL('docs/reference/', ROOT)).map((name) => `docs/reference/${name}`)
  t.strictSame(stored.sort(), [...REFERENCE_PATHS].sort())
  const readme = readFileSync(new URL('README.md', ROOT), 'utf8')
  for (const path of REFERENCE_PATHS) t.ok(readme.includes(`(${path})`), path)
})

t.test('the README has at most 200 lines', async (t) => {
  t.ok(readFileSync(new URL('README.md', ROOT), 'utf8').trimEnd().split('\n').length <= 200)
})

t.test('every dependency has a reason, and every reason a dependency', async (t) => {
  t.strictSame(unexplained(), [])
})

t.test('every failure code has a status, words, and its place in OpenAPI and docs/reference', async (t) => {
  const document = await openApiText()
  for (const code of FAILURE_CODES) {
    const { status, title, meaning } = PROBLEMS[code]
    t.ok(status >= 400 && status < 600 && title !== '' && meaning !== '', code)
    t.ok(document.includes(`"${code}"`), `${code} is in the OpenAPI document`)
    t.ok(failures.includes(`| \`${code}\` | ${status} |`), `${code} is in docs/reference/failures.md`)
  }
})

t.test('the runbook for users who cannot edit names every failure code that a read of a token can give', async (t) => {
  const { paths } = JSON.parse(await openApiText()) as {
    paths: Record<string, { get: { responses: Record<string, { content?: Record<string, { examples?: object }> }> } }>
  }
  const codes = Object.entries(paths['/tokens/{userId}']!.get.responses).flatMap(([status, { content }]) =>
    Object.keys(content?.['application/problem+json']?.examples ?? {}).map((code) => `${status} \`${code}\``),
  )
  t.ok(codes.length > 10)
  const runbooks = readFileSync(new URL('../docs/runbooks.md', import.meta.url), 'utf8')
  const [, table = ''] = /## Users cannot edit documents\n([^]*?)\n## /.exec(runbooks)!
  t.strictSame(
    codes.filter((code) => !table.includes(`| ${code}`)),
    [],
  )
})

t.test('every reason has words in every language, and its place in OpenAPI and docs/reference', async (t) => {
  const document = await openApiText()
  for (const [reason, { whoActs, advice }] of Object.entries(REASONS)) {
    for (const [language, { reasons }] of Object.entries(texts)) {
      const { title, happened, todo } = reasons[reason as keyof typeof REASONS]
      t.ok(
        [title, happened, todo].every((text) => text.trim() !== ''),
        `${reason} in ${language}`,
      )
    }
    t.ok(document.includes(`"${reason}"`), `${reason} is in the OpenAPI document`)
    t.ok(failures.includes(`| \`${reason}\` | ${whoActs} | ${advice} |`), `${reason} is in docs/reference/failures.md`)
  }
  t.strictSame(Object.keys(texts.de.reasons).sort(), Object.keys(texts.en.reasons).sort())
})

t.test('every permission at Microsoft Graph has words in every language, and what it can reach', async (t) => {
  for (const { scope } of PERMISSIONS)
    for (const { permission, adminConsent } of Object.values(texts))
      t.ok(permission.words[scope] && adminConsent.reach[scope], scope)
})
