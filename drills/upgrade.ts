import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Broker } from '../sandbox/broker.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { migrate } from '../src/db/migrate.ts'
import { deploy, type Deployment, type Drill, expect, pause, read, statuses } from './deployment.ts'
import { startLoad } from './load.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MIGRATIONS = 'src/db/migrations'
/** How long each mixture of releases serves. All tokens are expired when it begins. */
const PHASE_MS = 500

/**
 * Two replicas of an older release run under load. The new release migrates and replaces them one by one. Then the old
 * release replaces the new one again, now on the newer schema. `from`: a git ref. Default: the release before this
 * commit, or else the last commit without the newest migration.
 */
export const upgradeFrom = (from: string | undefined): Drill => ({
  name: 'upgrade under load with a migration, one replica at a time, and rollback on the new schema',
  async run() {
    const tag = from ?? previousRelease()
    const ref = tag ?? withoutNewestMigration()
    const old = checkOut(ref)
    try {
      const why =
        tag === undefined ? ' (no tag of an earlier release; the last commit without the newest migration)' : ''
      return `from ${ref}${why}: ${await upgrade(old)}`
    } finally {
      rmSync(old, { recursive: true, force: true })
    }
  },
})

async function upgrade(old: string): Promise<string> {
  const deployment = await deploy({ env: { DRAIN_SECONDS: '1' }, migrate: async (url) => migrateBy(old, url) })
  try {
    const users = await deployment.users('upgrade', 30)
    const all: Broker[] = []
    let serving = [await deployment.start(old), await deployment.start(old)]
    all.push(...serving)
    let turn = 0
    let broken = 0
    // The client retries once after a broken connection. Here, each broken connection counts.
    const client = () =>
      deployment.client(
        () => serving[turn++ % serving.length]!.internalUrl,
        ({ status }) => void (status === 0 && (broken += 1)),
      )
    const load = startLoad(6, users, client)
    const writes = startWrites(client())
    const serve = async () => {
      await deployment.setRemaining(users, -1)
      await pause(PHASE_MS)
    }
    const replaceBy = async (root: string | undefined) => {
      for (const leaving of serving) {
        const coming = await deployment.start(root)
        all.push(coming)
        // Kubernetes sends requests to ready replicas, and none to a replica that it stops.
        serving = [...serving.filter((broker) => broker !== leaving), coming]
        expect((await leaving.stop('SIGTERM')) === 0, 'a replica did not end with 0')
        await serve()
      }
    }

    let applied: string[]
    let failedWrites: string[]
    try {
      await serve()
      ;({ applied } = await migrate(deployment.databaseUrl))
      await serve()
      await replaceBy(undefined)
      await replaceBy(old)
    } finally {
      await load.stop()
      failedWrites = await writes.stop()
    }

    const failed = load.answers.filter(({ answer }) => answer.status !== 200)
    expect(
      failed.length === 0 && broken === 0,
      `${statuses(load.answers.map(({ answer }) => answer))}; ${broken} broken connections`,
    )
    expect(failedWrites.length === 0, `writes failed: ${failedWrites.join(', ')}`)
    const wrong = load.answers.filter(
      ({ user, answer: { body } }) => body.user_id !== user || !deployment.isOf(user, body.access_token),
    )
    expect(wrong.length === 0, `${wrong.length} answers with another user's token`)
    await expectNothingLost(deployment, users, serving, all)
    const warned = serving.filter((broker) =>
      broker.log().includes('the database was migrated by a newer release'),
    ).length
    expect(warned === (applied.length > 0 ? serving.length : 0), `${warned} replicas said that the database is newer`)
    return (
      `${load.answers.length} reads and ${writes.count()} writes while ${applied.length} migrations ` +
      `(${applied.join(', ') || 'none'}) were applied and 2 replicas replaced and rolled back: 0 failed, ` +
      `${deployment.calls()} refreshes, 0 of ${users.length} users' tokens lost, 0 users had to reconnect`
    )
  } finally {
    await deployment.close()
  }
}

/** Each user gets a fresh token that is the stored one. No replica lost a token or required a reconnect. */
async function expectNothingLost(
  deployment: Deployment,
  users: readonly string[],
  serving: readonly Broker[],
  all: readonly Broker[],
): Promise<void> {
  const [last] = serving
  const answers = await Promise.all(
    users.map((user) =>
      read(
        deployment.client(() => last!.internalUrl),
        user,
      ),
    ),
  )
  const stored = await deployment.stored()
  const lost = answers.filter(
    ({ status, body }) => status !== 200 || body.degraded || stored.get(body.user_id) !== body.access_token,
  )
  expect(lost.length === 0, `${lost.length} users without their stored, fresh token: ${statuses(answers)}`)
  expect((await deployment.marked()) === 0, 'a user had to reconnect')
  const alarms = all.flatMap((broker) =>
    broker
      .log()
      .split('\n')
      .filter((line) => /"level":"(?:error|fatal)"/.test(line)),
  )
  expect(alarms.length === 0, `replicas logged errors: ${alarms[0]}`)
}

/** Begins connect sessions and disconnects users, one after the other. This writes to the other tables. */
function startWrites(client: ReturnType<Deployment['client']>) {
  let running = true
  let count = 0
  const failed: string[] = []
  const work = (async () => {
    for (let i = 0; running; i++) {
      for (const [method, path, body, wanted] of [
        ['POST', '/connect-sessions', { user_id: `writer-${i}` }, 201],
        ['DELETE', `/integrations/writer-${i}`, undefined, 204],
      ] as const) {
        const { status } = await client.send(method, path, body).catch(() => ({ status: 0 }))
        count += 1
        if (status !== wanted) failed.push(`${method} ${status}`)
      }
    }
  })()
  return {
    count: () => count,
    async stop() {
      running = false
      await work
      return failed
    },
  }
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    throw needsHistory()
  }
}
const needsHistory = (ref = 'a release') =>
  new Error(`git does not give the files of ${ref}: this drill needs a checkout with its history, and git and tar`)

/**
 * The newest release tag in the history of HEAD. Not that of HEAD, unless something was changed since: a release is
 * compared with the one before it.
 */
function previousRelease(): string | undefined {
  const changed = git('status', '--porcelain', '--', 'src') !== ''
  const older = changed ? [] : ['--no-contains', 'HEAD']
  const [tag] = git('tag', '--list', 'v[0-9]*', '--merged', 'HEAD', ...older, '--sort=-version:refname').split('\n')
  return tag === '' ? undefined : tag
}

function withoutNewestMigration(): string {
  const newest = readdirSync(join(ROOT, MIGRATIONS))
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .at(-1)
  const [addedBy] = git('log', '--diff-filter=A', '--format=%H', '--', `${MIGRATIONS}/${newest}`).split('\n')
  // If no commit has added it, it is not committed yet, and HEAD is without it.
  return git('rev-parse', '--short', addedBy ? `${addedBy}~1` : 'HEAD')
}

/** Extracts the source of a release into a new folder, with today's packages. */
function checkOut(ref: string): string {
  const folder = temporaryFolder('token-broker-release')
  const archive = spawnSync('git', ['archive', '--format=tar', ref, 'src', 'package.json'], {
    cwd: ROOT,
    maxBuffer: 1 << 28,
  })
  const unpacked = archive.status === 0 ? spawnSync('tar', ['-x', '-C', folder], { input: archive.stdout }) : undefined
  if (unpacked?.status !== 0) {
    rmSync(folder, { recursive: true, force: true })
    throw needsHistory(ref)
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

function migrateBy(root: string, databaseUrl: string): void {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'src/cli.ts'), 'migrate'], {
    env: { DATABASE_URL: databaseUrl },
    encoding: 'utf8',
  })
  expect(status === 0, `the old release does not migrate: ${stderr}`)
}
