import { readFileSync } from 'node:fs'
import t from 'tap'
import { releasedChangelog } from '../scripts/release.ts'
import { staleCopies, versionOf } from '../scripts/versions.ts'
import { openApiDocument } from '../src/app.ts'
import { VERSION } from '../src/version.ts'

t.test('every copy of the version is the one in package.json', async (t) => {
  t.strictSame(staleCopies(), [], 'npm run release writes them')
})

t.test('the service, its image and its API document take the version from package.json', async (t) => {
  t.equal(VERSION, versionOf())
  t.match(await openApiDocument(), { info: { version: versionOf() } })
  const dockerfile = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8')
  t.match(dockerfile, /COPY --from=build \/build\/package\.json \.\//)
})

t.test('a release moves the unreleased entries below its own heading', async (t) => {
  const before = '# Changelog\n\n## Unreleased\n\n* New.\n\n## 1.0.0 (2026-12-01)\n\n* First.\n'
  t.equal(
    releasedChangelog(before, '1.1.0', '2027-01-02'),
    '# Changelog\n\n## Unreleased\n\n## 1.1.0 (2027-01-02)\n\n* New.\n\n## 1.0.0 (2026-12-01)\n\n* First.\n',
  )
  t.equal(
    releasedChangelog('# Changelog\n\n## Unreleased\n\n* New.\n', '1.0.0', '2027-01-02'),
    '# Changelog\n\n## Unreleased\n\n## 1.0.0 (2027-01-02)\n\n* New.\n',
  )
})

t.test('a release without entries in the changelog is refused', async (t) => {
  t.throws(() => releasedChangelog('# Changelog\n\n## Unreleased\n', '1.0.0', '2027-01-02'), { message: /nothing/ })
  t.throws(() => releasedChangelog('# Changelog\n', '1.0.0', '2027-01-02'), { message: /no heading/ })
})
