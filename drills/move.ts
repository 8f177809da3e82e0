import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import { BROKER_AUTHORITY, type Broker } from '../sandbox/broker.ts'
import { createBrowser } from '../sandbox/browser.ts'
import { startDatabase } from '../sandbox/database.ts'
import { type ServerCertificate, selfSignedCertificate, toPem } from '../sandbox/entra/certificate.ts'
import { openFrontDoor } from '../sandbox/front-door.ts'
import { createBrokerClient } from '../sandbox/megdocs/broker-client.ts'
import { createEventReader } from '../sandbox/megdocs/event-reader.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { openCluster, type Values } from './cluster.ts'
import {
  type Answer,
  deploy,
  type Deployment,
  type Drill,
  expect,
  pause,
  read,
  readEverywhere,
  statuses,
} from './deployment.ts'
import { type Load, startLoad } from './load.ts'
import { ownRoles } from './roles.ts'
import { HEALTHY, installedPrograms, openRunbook, ROLLED_OUT, STARTED, STOPPED } from './runbook.ts'

// The broker moves: to a newer PostgreSQL, and to another host name. Commands of docs/runbooks.md, word for word.

/** From the installed PostgreSQL (15 of Debian 12) to the one of the npm package (18), by dump and restore. */
export const moveToNewerPostgres: Drill = {
  name: 'an installed PostgreSQL is replaced by a newer one, by dump and restore',
  async run() {
    const { options, ownerUrl } = ownRoles()
    const old = await startDatabase({ programs: installedPrograms() })
    const fresh = await startDatabase()
    const deployment = await deploy({ database: old, ...options })
    const there = (url: string) => Object.assign(new URL(url), { port: String(fresh.port) }).href
    const { databaseUrl } = deployment
    let owner = ownerUrl(databaseUrl)
    const cluster = openCluster(deployment, {
      ownerUrl: () => owner,
      onSecret(name, { 'database-url': url }) {
        if (name === 'token-broker') deployment.env['DATABASE_URL'] = url!
        else owner = url!
      },
    })
    const runbook = await openRunbook(['A newer PostgreSQL'], cluster.programs)
    // Not over the URL of the superuser, whose password the other server does not have.
    const sql = postgres(there(ownerUrl(databaseUrl)), { max: 1 })
    try {
      await cluster.scale(2)
      const client = deployment.client(cluster.address)
      const users = await deployment.users('moved', 20)
      const gone = await deployment.users('gone', 3)
      const events = createEventReader(client)
      await events.read()
      for (const user of gone) await events.disconnect(user)
      await events.read()
      const before = await servedEverywhere(deployment, cluster.brokers, users)
      const generation = Math.max(...before.map(({ body }) => body.generation))
      const stored = await deployment.stored()

      const urls = {
        OLD_ADMIN_URL: old.url,
        NEW_ADMIN_URL: fresh.url,
        OLD_OWNER_URL: ownerUrl(databaseUrl),
        NEW_OWNER_URL: there(ownerUrl(databaseUrl)),
        DUMP: join(runbook.folder, 'token_broker.dump'),
      }
      await runbook.step(urls, /CREATE ROLE\s+ALTER ROLE/, /CREATE DATABASE/)
      await runbook.step({}, STOPPED)
      await runbook.step(urls, /ANALYZE/, /ALTER DATABASE/)
      writeFileSync(join(runbook.folder, 'database-url'), there(deployment.env['DATABASE_URL']!))
      writeFileSync(join(runbook.folder, 'owner-database-url'), urls.NEW_OWNER_URL)
      await runbook.step({}, /token-broker patched/, /token-broker-owner patched/, ...STARTED)
      runbook.end()

      const [{ version } = { version: '' }] = await sql<{ version: string }[]>`
        select current_setting('server_version') as version`
      const read = await servedEverywhere(deployment, cluster.brokers, users)
      const other = read.filter(({ body }) => body.access_token !== stored.get(body.user_id))
      expect(other.length === 0, `${other.length} tokens are not those from before: ${statuses(read)}`)
      const refreshed = await Promise.all(
        before
          .slice(0, users.length)
          .map(({ body }) => client.refresh(body.user_id, body.generation).catch((error: Error) => error)),
      )
      const failed = refreshed.filter((token) => token instanceof Error || token.generation <= generation)
      expect(failed.length === 0, `${failed.length} of ${users.length} could not be refreshed: ${String(failed[0])}`)
      const after = await events.read()
      expect(!after.expired && after.repeated === 0, 'the cursor of before the move was refused')
      const [row] =
        await sql`select count(*)::int as n from oauth2_integration where status <> 'active' or user_id like 'gone%'`
      expect(row?.['n'] === 0, 'a user had to reconnect, or is connected again')
      const from = execFileSync(join(installedPrograms(), 'postgres'), ['--version'], { encoding: 'utf8' })
      return (
        `from ${/\d+\.\d+/.exec(from)?.[0]} to ${version}: ${read.length} reads gave the tokens of before, ` +
        `${refreshed.length} of ${users.length} integrations refreshed, the cursor of events is still good`
      )
    } finally {
      await sql.end({ timeout: 1 })
      await deployment.close()
      await runbook.close()
      await fresh.close()
    }
  },
}

/** Each user at each replica, when all are served: callers wait for a second only, and the machine may be busy. */
async function servedEverywhere(
  deployment: Deployment,
  brokers: readonly Broker[],
  users: readonly string[],
): Promise<Answer[]> {
  for (let tries = 1; ; tries++) {
    const answers = await readEverywhere(deployment, brokers, users)
    if (answers.every(({ status }) => status === 200)) return answers
    expect(tries < 20, `not served: ${statuses(answers)}`)
    await pause(200)
  }
}

const CALLBACK = '/auth/oauth2/microsoft/callback'
const pagesOf = (url: string) => ({
  connectUrl: `${url}/microsoft/connect`,
  manageUrl: `${url}/microsoft/manage`,
  completionUrl: `${url}/microsoft/connected`,
})

/** MEGDocs and the broker's pages get another host, while callers read. */
export const moveToAnotherHostName: Drill = {
  name: 'another host name under load',
  async run() {
    const { options, ownerUrl } = ownRoles()
    let publicUrl = () => ''
    const [oldDoor, newDoor] = await Promise.all(
      [1, 2].map(() => openFrontDoor({ broker: () => publicUrl(), megdocs: () => 'http://127.0.0.1:9' })),
    )
    const [from, to] = [oldDoor!.url, newDoor!.url]
    const { connectUrl, manageUrl, completionUrl } = pagesOf(from)
    const deployment = await deploy({
      ...options,
      // The runbook needs psql, and the server is of the same version.
      database: await startDatabase({ programs: installedPrograms() }),
      env: {
        PUBLIC_BASE_URL: from,
        ENTRY_URL_CONNECT: connectUrl,
        ENTRY_URL_MANAGE: manageUrl,
        COMPLETION_URL: completionUrl,
        DRAIN_SECONDS: '1',
      },
      entra: { redirectUris: [`${from}${CALLBACK}`] },
    })
    const environmentOf = ({ public: { baseUrl }, megdocs }: Values): Record<string, string> => ({
      PUBLIC_BASE_URL: baseUrl,
      ENTRY_URL_CONNECT: megdocs.connectUrl,
      ENTRY_URL_MANAGE: megdocs.manageUrl,
      COMPLETION_URL: megdocs.completionUrl,
    })
    const cluster = openCluster(deployment, { ownerUrl: () => ownerUrl(deployment.databaseUrl), environmentOf })
    publicUrl = () => cluster.brokers[0]?.publicUrl ?? ''
    const runbook = await openRunbook(['Of the pages'], cluster.programs)
    let load: Load | undefined
    try {
      await cluster.scale(1)
      const users = await deployment.users('moving', 20)
      await connect(deployment, cluster.address, 'before', from)
      load = startLoad(1, users, () => deployment.client(cluster.address))

      writeFileSync(
        join(runbook.folder, 'values.yaml'),
        JSON.stringify({ public: { baseUrl: from }, megdocs: pagesOf(from) } satisfies Values, null, 2),
      )
      // Step 2, in Azure.
      deployment.entra.control.configureApp({ redirectUris: [`${from}${CALLBACK}`, `${to}${CALLBACK}`] })
      const variables = { OLD_URL: from, NEW_URL: to, OWNER_URL: ownerUrl(deployment.databaseUrl) }
      const publicChecks = /callback with slash[^]*\b0 failed/
      await runbook.step(variables, /upgraded/, ROLLED_OUT, HEALTHY, publicChecks)
      runbook.end()
      deployment.entra.control.configureApp({ redirectUris: [`${to}${CALLBACK}`] })
      await connect(deployment, cluster.address, 'after', to)

      await load.stop()
      const failed = load.answers.filter(
        ({ user, answer: { status, body } }) => status !== 200 || !deployment.isOf(user, body.access_token),
      )
      expect(failed.length === 0, `failed reads: ${statuses(failed.map(({ answer }) => answer))}`)
      // Who connected at the old host is still connected, and nobody has to connect again.
      const client = deployment.client(cluster.address)
      const { generation } = await client.token('before')
      await client.refresh('before', generation)
      return (
        `0 of ${load.answers.length} reads failed; a user connected at the new host, ` +
        'and one who had connected at the old host was refreshed'
      )
    } finally {
      await load?.stop()
      await deployment.close()
      await runbook.close()
      await Promise.all([oldDoor!.close(), newDoor!.close()])
    }
  },
}

const [OLD_NAME, NEW_NAME] = [BROKER_AUTHORITY, 'broker.new.example']

/** The signed API gets another name, while callers use the old one. */
export const moveSignedApi: Drill = {
  name: 'another name of the signed API',
  async run() {
    const { options, ownerUrl } = ownRoles()
    const folder = temporaryFolder('token-broker-tls')
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    const [old, both] = [certificateFor([OLD_NAME]), certificateFor([OLD_NAME, NEW_NAME])]
    writeFileSync(certFile, old.cert)
    writeFileSync(keyFile, old.key)
    const deployment = await deploy({
      ...options,
      env: { INTERNAL_PLAIN_HTTP: 'no', INTERNAL_TLS_CERT_FILE: certFile, INTERNAL_TLS_KEY_FILE: keyFile },
    })
    const cluster = openCluster(deployment, {
      ownerUrl: () => ownerUrl(deployment.databaseUrl),
      environmentOf: ({ internal }) => ({ INTERNAL_AUTHORITIES: internal?.authorities?.join(',') ?? '' }),
    })
    const runbook = await openRunbook(['Of the signed API'], cluster.programs)
    const clientOf = (authority: string, { cert: ca }: ServerCertificate) =>
      createBrokerClient({ address: cluster.address, authority, key: deployment.caller.key, ca })
    try {
      await cluster.scale(2)
      const [user = ''] = await deployment.users('moving', 1)
      const values = (authorities: string[]) => {
        const { megdocs } = { megdocs: pagesOf('http://localhost:8080') }
        const all: Values = { public: { baseUrl: 'http://localhost:8080' }, megdocs, internal: { authorities } }
        writeFileSync(join(runbook.folder, 'values.yaml'), JSON.stringify(all))
      }
      expect((await read(clientOf(OLD_NAME, old), user)).status === 200, 'the old name is not served')
      expect((await read(clientOf(NEW_NAME, old), user)).status === 0, 'a certificate without the name was accepted')

      for (const [name, text] of [
        ['tls.crt', both.cert],
        ['tls.key', both.key],
      ] as const)
        writeFileSync(join(runbook.folder, name), text)
      await runbook.step({}, /configured/)
      // Replicas look every five seconds.
      const served = () => Promise.all([1, 2].map(() => read(clientOf(OLD_NAME, both), user)))
      while (!(await served()).every(({ status }) => status === 200)) await pause(200)
      values([OLD_NAME, NEW_NAME])
      await runbook.step({}, /upgraded/, ROLLED_OUT, HEALTHY)
      runbook.end()
      const answers = await Promise.all([OLD_NAME, NEW_NAME].map((name) => read(clientOf(name, both), user)))
      expect(
        answers.every(({ status }) => status === 200),
        `with both names: ${statuses(answers)}`,
      )
      return 'both names were served with a certificate that has both; before, the new one was refused'
    } finally {
      await deployment.close()
      await runbook.close()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

function certificateFor(names: readonly string[]): ServerCertificate {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const [notBefore, notAfter] = [Date.now() - 3_600_000, Date.now() + 90 * 86_400_000]
  const certificate = selfSignedCertificate(keys, { commonName: names[0]!, names, notBefore, notAfter })
  return { cert: toPem(certificate), key: String(keys.privateKey.export({ type: 'pkcs8', format: 'pem' })) }
}

/** A user connects through the pages at this address. */
async function connect(deployment: Deployment, address: () => string, user: string, at: string): Promise<void> {
  const { entra } = deployment
  // None that `users` gives to somebody else.
  const account = user === 'before' ? 'user498@contoso.com' : 'user499@contoso.com'
  const client = deployment.client(address)
  const isOver = (url: string) => url.includes('/microsoft/connected') || url.startsWith(entra.url)
  const browser = createBrowser({ stopBefore: isOver })
  const { id, url } = await client.beginConnect(user)
  expect(url.startsWith(`${at}/`), `the link leads to ${new URL(url).origin} and not to ${at}`)
  const { refresh: authorizeUrl } = await browser.open(url)
  expect(authorizeUrl !== undefined, 'the link did not lead to Microsoft')
  const back = await browser.open(entra.control.signIn({ account, authorizeUrl }))
  expect(back.refresh?.startsWith(`${at}/microsoft/connected`) === true, `the sign-in ended at ${back.url}`)
  await client.complete(id, user, new URL(back.refresh).searchParams.get('handle') ?? '')
}
