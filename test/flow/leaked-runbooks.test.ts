import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { runCommandLine } from '../../src/cli/commands.ts'
import { readContents } from '../../src/config/configured-files.ts'
import { generateSealingKey } from '../../src/crypto/keyring.ts'
import { createReload } from '../../src/reload.ts'
import type { generateKey } from '../../src/signature/keygen.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { call } from '../http/signed-call.ts'
import { commandsOf, fillIn } from '../support/runbook.ts'
import { startWorld } from '../support/world.ts'

// docs/runbooks.md, "Something has leaked": every command word for word, in the order of the entry, on a real broker
// whose values are in files.

const [OLD_SECRET, NEW_SECRET] = ['kYz8Q~bcJ4mWq.x7TnR_pLs9vDfHgAeUo2iKzX3', 'mTr8Q~Zq5vNd.h2LbW_sKy8cPfJgXaEo6iUzR4']

async function setUp(t: Test, heading: string) {
  const world = await startWorld(t, { env: { MICROSOFT_CLIENT_SECRET: OLD_SECRET } })
  world.entra.control.configureApp({ clientSecrets: [OLD_SECRET] })
  const folder = t.testdir()
  const path = (name: string) => join(folder, name)
  const values: Record<string, string> = {
    CALLERS_FILE: readFileSync(world.env['CALLERS_FILE']!, 'utf8'),
    SEALING_KEYS: world.secrets.sealingKeys,
    AUDIT_KEYS: generateSealingKey('a1'),
    MICROSOFT_CLIENT_SECRET: OLD_SECRET,
  }
  const changes: Record<string, string> = {}
  for (const [name, value] of Object.entries(values)) {
    writeFileSync(path(name), value)
    Object.assign(
      changes,
      name.endsWith('_FILE') ? { [name]: path(name) } : { [name]: '', [`${name}_FILE`]: path(name) },
    )
  }
  const env = { ...world.env, ...changes }
  const replica = await world.startReplica(changes)
  const reload = createReload(env, replica.services, { contents: readContents(env), server: replica.internal.server })
  const commands = commandsOf(heading)

  return {
    world,
    replica,
    values,
    folder,
    /** As "patch": the file changes, and the replica reads it. */
    async patch(name: string, value: string) {
      writeFileSync(path(name), value)
      await reload.check()
      t.same(replica.services.rotating.refusedChanges, [])
    },
    /** Runs the next command of the entry, which must be this one. */
    async broker(command: string, placeholders: Record<string, string> = {}) {
      t.equal(commands.shift(), command)
      const [first, ...args] = fillIn(command, placeholders).split(' ')
      t.equal(first, 'broker')
      const [out, err]: [string[], string[]] = [[], []]
      const code = await runCommandLine(args, {
        env,
        // Its keys have other ids than those of the world, which may be made in the same second.
        now: () => Date.now() - 120_000,
        out: (line) => void out.push(line),
        err: (line) => void err.push(line),
      })
      return { code, out: out.join('\n'), err: err.join('\n') }
    },
    /** Runs the next command of the entry in a shell, where the logs are. Returns what it prints. */
    shell(placeholders: Record<string, string> = {}) {
      const command = fillIn(commands.shift() ?? '', placeholders)
      const { stdout, stderr, status } = spawnSync('bash', ['-c', command], { cwd: folder, encoding: 'utf8' })
      t.equal(stderr, '', command)
      return { out: stdout, status, command }
    },
    end: () => void t.strictSame(commands, [], 'every command of the entry was tried'),
    /** The next command of the entry, for a test that runs it in another way. */
    next: () => commands.shift() ?? '',
    saveLog: () => writeFileSync(path('broker-1.log'), replica.logged()),
  }
}

t.test('a caller key has leaked', async (t) => {
  const { end, world, replica, values, folder, patch, broker, shell, next, saveLog } = await setUp(
    t,
    'A caller key has leaked',
  )
  await world.connect('42')
  await world.connect('43')
  const file = JSON.parse(values['CALLERS_FILE']!) as { callers: { name: string; keys: { key_id: string }[] }[] }
  const megdocs = file.callers.find(({ keys }) =>
    keys.some(({ key_id }) => key_id === world.secrets.megdocsKey.key_id),
  )!
  const key_id = world.secrets.megdocsKey.key_id
  const read = (user: string) => replica.caller.send('GET', `/tokens/${user}`)
  for (const user of ['42', '42', '43']) t.match(await read(user), { status: 200 })

  t.match(await broker('broker freeze --key <key id> --reason leaked --apply', { 'key id': key_id }), {
    code: 0,
    err: '',
    out: /^Frozen: everything that the key asks for/,
  })
  t.match(await read('42'), { status: 403, body: { code: 'frozen', reason: 'caller_key_frozen' } })

  const made = await broker('broker keygen caller megdocs')
  t.equal(made.code, 0)
  const [theirs, ours] = [...made.out.matchAll(/^\{$[^]*?^\}$/gm)].map(
    ([half]) => JSON.parse(half) as ReturnType<typeof generateKey>['broker'] & { key_id: string; secret: string },
  )
  const old = megdocs.keys
  megdocs.keys = [...old, theirs!]
  await patch('CALLERS_FILE', JSON.stringify(file))
  const key = signingKey(ours!.key_id, 'hmac-sha256', ours!.secret)
  const readWithNew = () => call(world, { method: 'GET', path: '/tokens/42', key, to: replica })
  t.equal((await readWithNew()).status, 200, 'editing goes on with the new key while the old one is frozen')
  t.match(await read('42'), { status: 403 })

  megdocs.keys = [theirs!]
  await patch('CALLERS_FILE', JSON.stringify(file))
  await t.rejects(read('42'), { message: /401 invalid_signature/ })
  t.match(await replica.services.metrics.registry.metrics(), /requests_refused_total\{detail="unknown_key",[^}]*\} 1/)

  t.match(await broker('broker unfreeze --key <key id> --apply', { 'key id': key_id }), { code: 0, out: /Lifted: 1/ })
  await t.rejects(read('42'), { message: /401 invalid_signature/ }, 'the old key is gone')
  t.equal((await readWithNew()).status, 200)

  saveLog()
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
  const verify = next()
  t.equal(verify, 'AUDIT_KEYS_FILE=/secure/audit-keys token-broker audit verify --partial broker-*.log')
  const here = verify
    .replace('/secure/audit-keys', 'AUDIT_KEYS')
    .replace('token-broker', `"${process.execPath}" "${cli}"`)
  t.match(execFileSync('bash', ['-c', here], { cwd: folder, encoding: 'utf8' }), /The audit is whole/)
  t.equal(shell({ 'key id': key_id }).out.replaceAll(/ +/g, ' '), ' 2 "user_id":"42"\n 1 "user_id":"43"\n')
  t.equal(shell({ 'key id': key_id }).out.replaceAll(/ +/g, ' '), ' 3 "peer":"127.0.0.1"\n')
  end()
})

t.test('a sealing key has leaked', async (t) => {
  const { end, world, replica, values, patch, broker } = await setUp(t, 'A sealing key has leaked')
  await world.connect('42')
  const [old, fresh] = [values['SEALING_KEYS']!, generateSealingKey('fresh')]
  await patch('SEALING_KEYS', `${old}\n${fresh}`)
  await patch('SEALING_KEYS', `${fresh}\n${old}`)
  // The replica of the world stands for one that has not read the file yet.
  const resealed = await broker('broker reseal')
  t.match(resealed, { code: 0, out: /sandbox-1: it can be removed from SEALING_KEYS now/ })
  await patch('SEALING_KEYS', fresh)
  t.match(
    (await broker('broker doctor')).out,
    /SEALING_KEYS \(fresh\) matches the database; stored tokens can be opened/,
  )
  t.match(await replica.caller.send('GET', '/tokens/42'), { status: 200 })
  end()
})

t.test('a client secret has leaked', async (t) => {
  const { end, world, replica, patch, broker } = await setUp(t, 'A client secret has leaked')
  const { control } = world.entra
  await world.connect('42')
  control.configureApp({ clientSecrets: [NEW_SECRET, OLD_SECRET] })
  await patch('MICROSOFT_CLIENT_SECRET', `${NEW_SECRET}\n${OLD_SECRET}`)
  t.match((await broker('broker doctor')).out, /Microsoft accepts client secret 1 of 2/)
  await patch('MICROSOFT_CLIENT_SECRET', NEW_SECRET)
  control.configureApp({ clientSecrets: [NEW_SECRET] })
  t.match((await broker('broker doctor')).out, /Microsoft accepts client secret 1 of 1/)
  const { generation } = await replica.caller.token('42')
  t.ok((await replica.caller.refresh('42', generation)).generation > generation)
  t.match(await replica.services.metrics.registry.metrics(), /microsoft_refresh_seconds_count[^\n]* 1/)
  end()
})

t.test(
  'a database dump has leaked: revoked sessions end the refresh tokens, and doctor counts who must connect',
  async (t) => {
    const { end, world, replica, broker } = await setUp(t, 'A database dump has leaked')
    await world.connect('42')
    await world.connect('43', 'omar@contoso.com')
    world.entra.control.revokeSessions({ account: 'jane@contoso.com' })
    await world.setRemaining('42', -1)
    t.match(await replica.caller.send('GET', '/tokens/42'), { status: 409 })
    t.match((await broker('broker doctor --fleet')).out, /active 1, reconnect required 1/)
    await world.connect('42')
    t.match(await replica.caller.send('GET', '/tokens/42'), { status: 200 })
    end()
  },
)

t.test('the log has leaked: the searches find nothing in a log, and they find tokens, codes and secrets', async (t) => {
  const { end, world, replica, shell, saveLog, folder } = await setUp(t, 'The log has leaked')
  await world.connect('42')
  const { generation } = await replica.caller.token('42')
  await replica.caller.refresh('42', generation)
  saveLog()
  const beginning = { 'beginning of the client secret': OLD_SECRET.slice(0, 8) }
  const commands = [shell(), shell(beginning)]
  for (const { out, status, command } of commands) t.match({ out, status }, { out: '', status: 1 }, command)

  const { accessToken, refreshToken } = (await world.stored('42'))!
  for (const [secret, at] of [
    [accessToken, 0],
    [refreshToken, 0],
    [OLD_SECRET, 1],
  ] as const) {
    writeFileSync(join(folder, 'broker-1.log'), `{"msg":"${secret}"}\n`)
    const { stdout } = spawnSync('bash', ['-c', commands[at]!.command], { cwd: folder, encoding: 'utf8' })
    t.match(stdout, secret)
  }
  end()
})
