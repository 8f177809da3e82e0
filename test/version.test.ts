import { readFileSync } from 'node:fs'
import t from 'tap'
import { openApiDocument } from '../src/app.ts'
import { VERSION } from '../src/version.ts'

// package.json has the version. Files that cannot read it there must repeat it.

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

t.test('every file that repeats the version has that of package.json', async (t) => {
  const { version } = JSON.parse(read('package.json')) as { version: string }
  t.match(version, /^\d+\.\d+\.\d+/)
  t.equal(VERSION, version)
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string
    packages: Record<string, { version: string }>
  }
  t.strictSame([lock.version, lock.packages['']?.version], [version, version], 'package-lock.json')
  const chart = read('helm/token-broker/Chart.yaml')
  t.equal(/^version: (.+)$/m.exec(chart)?.[1], version, 'version of the chart')
  t.equal(/^appVersion: (.+)$/m.exec(chart)?.[1], version, 'appVersion of the chart')
  const dockerfile = read('Dockerfile')
  t.equal(/^ARG VERSION=(.+)$/m.exec(dockerfile)?.[1], version, 'label of the image')
  t.match(dockerfile, /COPY --from=build \/build\/package\.json \.\//, 'the image reads the version from package.json')
  t.equal(/^version = "(.+)"$/m.exec(read('clients/python/pyproject.toml'))?.[1], version, 'Python client')
  t.match(await openApiDocument(), { info: { version } })
})
