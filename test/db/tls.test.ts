import { generateKeyPairSync } from 'node:crypto'
import { chownSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import postgres from 'postgres'
import t from 'tap'
import { databaseUser } from '../../sandbox/database-user.ts'
import { type Database, startDatabase } from '../../sandbox/database.ts'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { openDatabase } from '../../src/db/client.ts'
import { migrate } from '../../src/db/migrate.ts'
import { until } from '../support/until.ts'

const DAY = 86_400_000

function certificateFor(commonName: string, names?: readonly Buffer[]): { certificate: string; key: string } {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = selfSignedCertificate(keys, {
    commonName,
    notBefore: Date.now() - DAY,
    notAfter: Date.now() + DAY,
    ...(names && { names }),
  })
  return { certificate: toPem(der), key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** PostgreSQL that shows this certificate, and speaks without TLS too, as most do. */
async function serverWith(
  t: { teardown(end: () => unknown): unknown },
  { certificate, key }: { certificate: string; key: string },
  from?: Pick<Database, 'folder'>,
) {
  const user = databaseUser()
  const folder = temporaryFolder('token-broker-tls', user)
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const files = { ssl_cert_file: join(folder, 'server.crt'), ssl_key_file: join(folder, 'server.key') }
  for (const [path, text] of [
    [files.ssl_cert_file, certificate],
    [files.ssl_key_file, key],
  ] as const) {
    writeFileSync(path, text, { mode: 0o600 })
    if (user) chownSync(path, user.uid, user.gid)
  }
  const server = await startDatabase({ settings: { ssl: 'on', ...files }, ...(from && { from }) })
  t.teardown(() => server.close())
  return server
}

/** Whether a query got through, and whether it went encrypted; or the failure. */
async function encrypted(url: string, ca?: string): Promise<unknown> {
  const database = openDatabase({ url, prepare: true, poolSize: 1, timeoutMs: 10_000, ca })
  try {
    const [row] = await database.run((db) =>
      db.execute<{ ssl: boolean }>(sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`),
    )
    return row?.ssl
  } finally {
    await database.close()
  }
}

t.test(
  'the certificate of Postgres is verified: the right authority and name are accepted, everything else is refused before a password is sent',
  async (t) => {
    const own = certificateFor('localhost')
    const other = certificateFor('localhost')
    const { url } = await serverWith(t, own)
    const named = Object.assign(new URL(url), { hostname: 'localhost' }).href
    t.equal(await encrypted(named), false, 'without DATABASE_CA and sslmode it is plain')
    t.equal(await encrypted(named, own.certificate), true)
    t.equal(await encrypted(`${named}?sslmode=verify-full`, own.certificate), true)
    await t.rejects(
      encrypted(named, other.certificate),
      { code: 'database_unavailable', facts: { detail: 'DEPTH_ZERO_SELF_SIGNED_CERT' } },
      'another authority',
    )
    await t.rejects(
      encrypted(`${named}?sslmode=verify-full`),
      { code: 'database_unavailable', facts: { detail: 'DEPTH_ZERO_SELF_SIGNED_CERT' } },
      'the ones Node trusts',
    )
    await t.rejects(
      encrypted(url, own.certificate),
      { code: 'database_unavailable', facts: { detail: 'ERR_TLS_CERT_ALTNAME_INVALID' } },
      'another address than the certificate names',
    )
    await t.resolves(migrate(named, { ca: own.certificate }))
    await t.rejects(migrate(named, { ca: other.certificate }), {
      code: 'database_unavailable',
      message: /DEPTH_ZERO_SELF_SIGNED_CERT/,
    })
  },
)

t.test('a server that presents the certificate of another host is refused', async (t) => {
  const elsewhere = certificateFor('db.elsewhere.example')
  const { url } = await serverWith(t, elsewhere)
  const named = Object.assign(new URL(url), { hostname: 'localhost' }).href
  await t.rejects(encrypted(named, elsewhere.certificate), {
    code: 'database_unavailable',
    facts: { detail: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  })
})

t.test('a server that offers no TLS is refused where TLS is asked for', async (t) => {
  const server = await startDatabase()
  t.teardown(() => server.close())
  const named = Object.assign(new URL(server.url), { hostname: 'localhost' }).href
  await t.rejects(encrypted(named, certificateFor('localhost').certificate), { code: 'database_unavailable' })
})

t.test('with several hosts, each must present a certificate of its own name', async (t) => {
  const byName = certificateFor('localhost')
  const byAddress = certificateFor('db', [Buffer.from([127, 0, 0, 1])])
  const ca = byName.certificate + byAddress.certificate
  // With the same password, as hosts of one database have it.
  const first = await serverWith(t, byName)
  await first.stop()
  const second = await serverWith(t, byAddress, first)
  await first.start()
  const at = ({ url }: Database, hostname: string) => Object.assign(new URL(url), { hostname }).href
  const takeWrites = async (server: Database, on: boolean) => {
    const admin = postgres(server.url, { max: 1, connection: { default_transaction_read_only: false } })
    await admin.unsafe(`alter system set default_transaction_read_only = ${on ? 'off' : 'on'}`)
    await admin`select pg_reload_conf()`
    await admin.end()
    await until(async () => (await portOf(server.url)).readOnly !== on)
  }
  async function portOf(url: string, otherUrls: string[] = [], authority?: string) {
    const database = openDatabase({ url, otherUrls, prepare: true, poolSize: 1, timeoutMs: 10_000, ca: authority })
    try {
      const [row] = await database.run((db) =>
        db.execute<{ port: number; read_only: boolean; ssl: boolean }>(sql`
          select current_setting('port')::int as port, current_setting('transaction_read_only')::bool as read_only,
            ssl from pg_stat_ssl where pid = pg_backend_pid()`),
      )
      return { port: row!.port, readOnly: row!.read_only, ssl: row!.ssl }
    } finally {
      await database.close()
    }
  }
  for (const [taking, other] of [
    [first, second],
    [second, first],
  ] as const) {
    await takeWrites(other, false)
    await takeWrites(taking, true)
    const [one, two] = [at(first, 'localhost'), at(second, '127.0.0.1')]
    t.match(await portOf(one, [two], ca), { port: taking.port, ssl: true })
    await t.resolves(migrate(one, { otherUrls: [two], ca }))
  }
  // Both are trusted, and each is of the other host's name.
  const [one, two] = [at(first, '127.0.0.1'), at(second, 'localhost')]
  await t.rejects(portOf(one, [two], ca), {
    code: 'database_unavailable',
    facts: { detail: 'ERR_TLS_CERT_ALTNAME_INVALID' },
  })
  await t.rejects(migrate(one, { otherUrls: [two], ca }), { message: /ERR_TLS_CERT_ALTNAME_INVALID/ })
  // Only the one that takes writes has a wrong name: it is not used.
  await t.rejects(portOf(at(first, 'localhost'), [two], ca), {
    code: 'database_unavailable',
    facts: { detail: 'NO_WRITABLE_HOST' },
  })
})
