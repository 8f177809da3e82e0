import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import postgres from 'postgres'
import t from 'tap'
import { brokerEnvironment, generateSecrets } from '../../sandbox/broker.ts'
import { supervise } from '../../sandbox/supervise.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { runCommandLine } from '../../src/cli/commands.ts'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { openDatabase } from '../../src/db/client.ts'
import { claimDeployment, proveSealingKeys } from '../../src/db/deployment.ts'
import { valuesUnderKey } from '../../src/db/reseal.ts'
import { testDatabase } from '../support/database.ts'
import { contextOf, insertIntegrations, openIntegrations } from '../support/sealed-rows.ts'

// What ops see when a sealing key is wrong, and how they replace one.

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BASE = 'http://127.0.0.1:9'

async function setUp(t: Parameters<typeof testDatabase>[0], rows = 0) {
  const url = await testDatabase(t)
  const sql = postgres(url, { max: 3, onnotice: () => {} })
  const database = openDatabase({ url, prepare: true, poolSize: 2, timeoutMs: 10_000 })
  const folder = temporaryFolder('token-broker-test')
  const callersFile = join(folder, 'callers.json')
  const secrets = generateSecrets(Date.now())
  writeFileSync(callersFile, secrets.callers)
  t.teardown(async () => {
    rmSync(folder, { recursive: true, force: true })
    await sql.end()
    await database.close()
  })
  const [oldKey, newKey] = [generateSealingKey('old'), generateSealingKey('fresh')]
  const [old, both] = [createVault(parseSealingKeys(oldKey)), createVault(parseSealingKeys(`${newKey} ${oldKey}`))]
  await claimDeployment(database, BASE)
  await proveSealingKeys(database, old)
  const stored = await insertIntegrations(sql, old, rows + 1)
  const environment = (sealingKeys: string | undefined) => {
    const { SEALING_KEYS: _, ...env } = brokerEnvironment({
      publicBaseUrl: BASE,
      databaseUrl: url,
      callersFile,
      secrets: { ...secrets, sealingKeys: '' },
      microsoft: {
        loginUrl: 'http://127.0.0.1:9',
        clientId: '11111111-2222-3333-4444-555555555555',
        clientSecret: 'kYz8Q~abcdefghijklmnopqrstuvwx.yz_0123-4',
      },
      more: { DATABASE_DEADLINE_MS: '30000' },
    })
    return { PATH: '/usr/bin:/bin', ...env, ...(sealingKeys === undefined ? {} : { SEALING_KEYS: sealingKeys }) }
  }
  /** A start that is refused: the real process. */
  async function start(sealingKeys: string | undefined) {
    return promisify(execFile)(process.execPath, [CLI, 'serve'], { env: environment(sealingKeys), cwd: ROOT }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
    )
  }
  /** The command line as the process runs it, with what it prints. */
  async function run(words: string[], sealingKeys: string) {
    const printed = { stdout: '', stderr: '' }
    const code = await runCommandLine(words, {
      env: environment(sealingKeys),
      now: () => Date.now(),
      out: (line) => void (printed.stdout += `${line}\n`),
      err: (line) => void (printed.stderr += `${line}\n`),
    })
    return { code, ...printed }
  }
  return { sql, database, oldKey, newKey, old, both, rows: stored, start, run, environment }
}

t.test(
  'the service refuses to start without the right sealing keys, with exit code 1 and a sentence that says what to do',
  async (t) => {
    const { start, oldKey, newKey } = await setUp(t)
    const impostor = generateSealingKey('old')
    const refusals: [name: string, keys: string | undefined, expected: RegExp][] = [
      ['none', undefined, /SEALING_KEYS: is not set/],
      [
        'a placeholder',
        'old:changeme',
        /SEALING_KEYS: entry 1 \(old\): a placeholder, not a key; make one with: token-broker keygen/,
      ],
      [
        'another key under the same id',
        `${newKey} ${impostor}`,
        /sealing key old in SEALING_KEYS is another key than the one that sealed this database under that id: put the right one back/,
      ],
      [
        'only a new one',
        newKey,
        /SEALING_KEYS lacks old, .*put it back behind the newest key and run "token-broker reseal"/,
      ],
    ]
    for (const [name, keys, expected] of refusals) {
      const { code, stdout, stderr } = await start(keys)
      t.equal(code, 1, name)
      t.match(stderr, expected, name)
      t.notMatch(stdout, /"msg":"ready"/, name)
      t.notMatch(stderr, /\n\s+at /, `${name}: no stack`)
      for (const entry of [oldKey, newKey, impostor])
        t.notMatch(stdout + stderr, entry.split(':')[1]!, `${name}: no key is printed`)
    }
  },
)

t.test('reseal reports what lay under which key, and exits 0 when the old key can be taken away', async (t) => {
  const { sql, database, run, oldKey, newKey, both, rows } = await setUp(t, 4)
  const early = await run(['reseal'], `${newKey} ${oldKey}`)
  t.match(early, {
    code: 1,
    stderr: /no replica seals with fresh yet: put it second in SEALING_KEYS of all replicas, then first/,
  })
  await proveSealingKeys(database, both)
  const { code, stdout, stderr } = await run(['reseal'], `${newKey} ${oldKey}`)
  t.equal(stderr, '')
  t.equal(code, 0)
  t.match(
    stdout,
    /sealed values before: 10 with old\nsealed values now: {4}10 with fresh\nresealed with fresh: 10\nNo value is sealed with old: it can be removed from SEALING_KEYS now\./,
  )
  t.same(await openIntegrations(sql, createVault(parseSealingKeys(newKey))), rows)
  t.match(
    await run(['reseal'], newKey),
    { code: 0, stdout: /resealed with fresh: 0\nEvery value is sealed with fresh/ },
    'it may be repeated',
  )
})

t.test('reseal exits 1 and names the rows that no key opens, by id only', async (t) => {
  const { sql, database, run, oldKey, newKey, both, rows } = await setUp(t, 1)
  await proveSealingKeys(database, both)
  await sql`update oauth2_integration set access_token = refresh_token where id = ${rows[0]!.id}`
  const { code, stdout, stderr } = await run(['reseal'], `${newKey} ${oldKey}`)
  t.equal(code, 1)
  t.match(
    stderr,
    new RegExp(
      `cannot be opened: oauth2_integration ${rows[0]!.id} access_token, key old, authentication\\n1 values were not changed`,
    ),
  )
  t.match(stdout, /sealed values now: {4}1 with old, 3 with fresh/)
  t.notMatch(stdout + stderr, /row-\d|access-\d|refresh-\d/, 'neither user ids nor tokens')
})

t.test('--forget says what is lost, gives up the key with --apply only, and the service starts again', async (t) => {
  const { sql, database, run, oldKey, newKey } = await setUp(t, 4)
  const id = randomUUID()
  const context = contextOf({ id, userId: 'row-0' }, 'pkce_verifier')
  await sql`insert into connect_session ${sql({
    id,
    ticket_hash: randomBytes(32),
    caller: 'megdocs',
    user_id: 'row-0',
    intent: 'connect',
    allow_switch: false,
    status: 'authorizing',
    expires_at: new Date(Date.now() + 300_000).toISOString(),
    pkce_verifier: createVault(parseSealingKeys(oldKey)).seal(context, 'verifier'),
  })}`
  t.match(await run(['reseal', '--forget', 'old'], oldKey), {
    code: 2,
    stderr: /This key is in SEALING_KEYS, so it is not lost/,
  })
  t.match(await run(['reseal', '--apply'], oldKey), { code: 2, stderr: /--apply is for --forget only/ })
  const dry = await run(['reseal', '--forget', 'old'], newKey)
  t.match(dry, {
    code: 0,
    stdout:
      /^old sealed 11 values of 5 integrations and 1 connect sessions\..* 5 users get token_unreadable.*\nDry run:.*--apply/,
  })
  t.same(await sql`select key_id from sealing_key`, [{ key_id: 'old' }], 'nothing was changed')
  t.match(await run(['reseal', '--forget', 'old', '--apply'], newKey), {
    code: 0,
    stdout: /5 users[^]*The key was removed from the list/,
  })
  t.match(await sql`select action, facts from audit_entry`, [
    { action: 'reseal --forget', facts: { key_id: 'old', known: true, values: 11, integrations: 5 } },
  ])
  t.same(await sql`select key_id from sealing_key`, [])
  t.match(await run(['reseal', '--forget', 'old', '--apply'], newKey), {
    code: 1,
    stdout: /The database has no such key/,
  })
  for (const window of [1, 2, 4, 5])
    t.same(
      await valuesUnderKey(database, 'old', window),
      { values: 11, integrations: 5, connectSessions: 1 },
      `read ${window} rows at a time`,
    )
  t.same(await valuesUnderKey(database, 'ol'), { values: 0, integrations: 0, connectSessions: 0 })
})

t.test('killed in the middle, nothing is lost, and the next run finishes', async (t) => {
  const { sql, database, run, environment, oldKey, newKey, both, rows } = await setUp(t, 600)
  await proveSealingKeys(database, both)
  // A lock on one row of the second window holds the command there.
  const locked = rows[300]!.id
  const holder = await sql.reserve()
  await holder`begin`
  await holder`select 1 from oauth2_integration where id = ${locked} for update`
  const child = await supervise([process.execPath, CLI, 'reseal'], {
    env: environment(`${newKey} ${oldKey}`),
    cwd: ROOT,
    lastSignal: 'TERM',
  })
  const resealed = async () =>
    (await sql`select 1 from oauth2_integration where substring(access_token from 3 for 5) = 'fresh'::bytea`).length
  while ((await resealed()) < 399 && !child.isOver()) await new Promise(setImmediate)
  child.kill('SIGKILL')
  t.equal(await child.ended, 137)
  await holder`rollback`
  holder.release()
  const done = await resealed()
  t.ok(done >= 399 && done <= 400, `${done} of 601 rows were done`)
  t.same(await openIntegrations(sql, both), rows, 'every value opens')
  t.match(await run(['reseal'], `${newKey} ${oldKey}`), { code: 0, stdout: /sealed values now: {4}1202 with fresh/ })
  t.same(await openIntegrations(sql, createVault(parseSealingKeys(newKey))), rows)
})
