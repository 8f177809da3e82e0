import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { archive, billOfMaterials, checksums, npmSbom, Refused, releaseBases } from '../scripts/artifacts.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'

const folder = temporaryFolder('token-broker-release')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const commit = { version: '1.2.3', revision: 'a'.repeat(40), time: 1_764_000_000 }

t.test(
  'an archive of the same files has the same bytes, whenever and in whatever order they were written',
  async (t) => {
    const pack = (names: readonly string[], seconds: number): Buffer => {
      const chart = join(folder, 'chart')
      rmSync(chart, { recursive: true, force: true })
      mkdirSync(chart)
      for (const name of names) {
        writeFileSync(join(chart, name), name, { mode: seconds % 2 === 0 ? 0o600 : 0o664 })
        utimesSync(join(chart, name), seconds, seconds)
      }
      const target = join(folder, `${seconds}.tgz`)
      archive(folder, ['chart'], target, commit)
      return readFileSync(target)
    }
    const first = pack(['a', 'b', 'c'], 1_000_000_000)
    t.ok(first.equals(pack(['c', 'b', 'a'], 1_500_000_001)))
    t.notOk(first.equals(pack(['a', 'b'], 1_000_000_000)))
    const listed = execFileSync('tar', ['--list', '--gzip', '--file', join(folder, '1500000001.tgz')], {
      encoding: 'utf8',
    })
    t.equal(listed, 'chart/\nchart/a\nchart/b\nchart/c\n')
  },
)

t.test('the list of contents has the time and a number of its commit, and Node', async (t) => {
  const printed = (serialNumber: string, timestamp: string): string =>
    JSON.stringify({ bomFormat: 'CycloneDX', serialNumber, metadata: { timestamp }, components: [{ name: 'fastify' }] })
  const text = billOfMaterials(printed('urn:uuid:1', '2026-11-28T01:00:00Z'), commit, '24.1.0')
  t.equal(text, billOfMaterials(printed('urn:uuid:2', '2026-11-28T02:00:00Z'), commit, '24.1.0'))
  t.match(JSON.parse(text), {
    bomFormat: 'CycloneDX',
    serialNumber: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    metadata: { timestamp: '2025-11-24T16:00:00.000Z', component: { name: 'token-broker' } },
    components: [{ name: 'node', version: '24.1.0' }, { name: 'fastify' }],
  })
})

t.test(
  'the list has each package that is locked for production, also those that development packages need too',
  async (t) => {
    const root = join(import.meta.dirname, '..')
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version: string; dev?: true; optional?: true; devOptional?: true }>
    }
    const locked = Object.entries(packages)
      .filter(([path, { dev, optional, devOptional }]) => path !== '' && !(dev || optional || devOptional))
      .map(([path, { version }]) => `pkg:npm/${path.split('node_modules/').at(-1)!.replace('@', '%40')}@${version}`)
    const { components } = JSON.parse(npmSbom(root)) as { components: { purl: string }[] }
    t.ok(locked.some((purl) => purl.startsWith('pkg:npm/jose@')))
    t.strictSame(new Set(components.map(({ purl }) => purl)), new Set(locked))
  },
)

t.test('a release is refused unless both bases have a digest; stand-ins need none', async (t) => {
  const digest = `@sha256:${'a'.repeat(64)}`
  const pinned = {
    BUILD_IMAGE: `docker.io/library/node:24-trixie-slim${digest}`,
    RUNTIME_IMAGE: `gcr.io/distroless/nodejs24-debian13${digest}`,
  }
  t.strictSame(releaseBases({ ...pinned, PATH: '/bin' }, false), pinned)
  const refusal = (env: NodeJS.ProcessEnv): string => {
    try {
      releaseBases(env, false)
      return ''
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      return error.message
    }
  }
  t.match(refusal({}), /^Set BUILD_IMAGE and RUNTIME_IMAGE to /)
  t.match(refusal({ ...pinned, BUILD_IMAGE: 'docker.io/library/node:24-trixie-slim' }), /^Set BUILD_IMAGE to /)
  t.match(refusal({ ...pinned, RUNTIME_IMAGE: `${digest}` }), /^Set RUNTIME_IMAGE to /)
  t.match(refusal({ ...pinned, RUNTIME_IMAGE: pinned.RUNTIME_IMAGE.slice(0, -1) }), /^Set RUNTIME_IMAGE to /)
  t.strictSame(releaseBases(pinned, true), {})
})

t.test('sha256sum accepts the checksums', async (t) => {
  const files = join(folder, 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'b.tar'), 'b')
  writeFileSync(join(files, 'a.tgz'), 'a')
  writeFileSync(join(files, 'SHA256SUMS'), checksums(files))
  t.equal(checksums(files), readFileSync(join(files, 'SHA256SUMS'), 'utf8'), 'not of itself')
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: files })
})
