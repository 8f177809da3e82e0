import t from 'tap'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { createVault } from '../../src/crypto/vault.ts'
import { openDatabase } from '../../src/db/client.ts'
import { reseal } from '../../src/db/reseal.ts'
import { contextOf, openIntegrations } from '../support/sealed-rows.ts'
import { startWorld, type Replica, type World } from '../support/world.ts'

/** Reads tokens and forces refreshes for all users at the current replicas, until stopped. */
function load(replicas: () => readonly Replica[], users: readonly string[]) {
  const counted = { reads: 0, refreshes: 0, failures: [] as unknown[] }
  let over = false
  let turn = 0
  const begun = users.map(() => 0)
  async function work(userId: string, index: number): Promise<void> {
    const next = () => {
      const serving = replicas()
      begun[index]!++
      return serving[turn++ % serving.length]!.caller
    }
    while (!over) {
      try {
        const { generation } = await next().token(userId)
        counted.reads++
        if (turn % 4 !== 0) continue
        const fresh = await next().refresh(userId, generation)
        if (fresh.generation <= generation) throw new Error('not a later generation')
        counted.refreshes++
      } catch (error) {
        counted.failures.push(error)
      }
    }
  }
  const done = Promise.all(users.map(work))
  return {
    counted,
    /** Resolves after this many more reads and refreshes. */
    async more(count: number) {
      const [reads, refreshes] = [counted.reads + count, counted.refreshes + count]
      while ((counted.reads < reads || counted.refreshes < refreshes) && counted.failures.length === 0)
        await new Promise(setImmediate)
    },
    /** Resolves when all open calls are answered. Then a replica that gets no new calls may stop. */
    async turnover() {
      const before = [...begun]
      while (begun.some((calls, i) => calls === before[i])) await new Promise(setImmediate)
    },
    async end() {
      over = true
      await done
    },
  }
}

async function reseals(world: World, keys: string) {
  const database = openDatabase({ url: world.env['DATABASE_URL']!, prepare: true, poolSize: 4, timeoutMs: 10_000 })
  try {
    return await reseal(database, createVault(parseSealingKeys(keys)))
  } finally {
    await database.close()
  }
}

t.test(
  'a sealing key is replaced under load in the documented order, without a failed read or refresh, and the old key is removed',
  async (t) => {
    const world = await startWorld(t)
    const oldKey = world.secrets.sealingKeys
    const newKey = generateSealingKey('fresh')
    const users = ['1', '2', '3', '4']
    for (const user of users) await world.connect(user)
    let serving: Replica[] = [world.replica, await world.startReplica()]
    const traffic = load(() => serving, users)
    await traffic.more(10)

    /** Replaces one replica after the other, like Kubernetes: the new one serves before the old one stops. */
    async function roll(keys: string): Promise<void> {
      for (const old of serving.slice()) {
        const next = await world.startReplica({ SEALING_KEYS: keys })
        serving = [...serving.filter((one) => one !== old), next]
        await traffic.more(5)
        await traffic.turnover()
        await old.stop()
      }
      await traffic.more(5)
    }
    await roll(`${oldKey} ${newKey}`)
    t.same(
      (await world.sql`select key_id from sealing_key`).map((row) => row['key_id']),
      ['sandbox-1'],
      'a key that only opens is not recorded',
    )
    await roll(`${newKey} ${oldKey}`)
    const report = await reseals(world, `${newKey} ${oldKey}`)
    t.match(report, { settled: true, unreadable: [], retired: ['sandbox-1'], after: { fresh: 8 } })
    await roll(newKey)
    await traffic.end()

    t.same(traffic.counted.failures, [])
    t.equal(world.replica.services.vault.keyIds[0], 'sandbox-1')
    t.equal((await openIntegrations(world.sql, createVault(parseSealingKeys(newKey)))).length, users.length)
    t.same(
      (await world.sql`select key_id from sealing_key`).map((row) => row['key_id']),
      ['fresh'],
    )
  },
)

t.test('if a key is removed too early, new replicas do not start and running ones continue', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  const newKey = generateSealingKey('fresh')
  await t.rejects(world.startReplica({ SEALING_KEYS: newKey }), {
    code: 'token_unreadable',
    message: /SEALING_KEYS lacks sandbox-1, .* put it back behind the newest key and run "token-broker reseal"/,
  })
  await t.resolves(world.caller.token('42'))
  t.same(
    (await world.sql`select key_id from sealing_key`).map((row) => row['key_id']),
    ['sandbox-1'],
    'the refused replica left no row behind',
  )
})

t.test(
  'a value that cannot be opened gives token_unreadable and an alert, causes no call to Microsoft, and is replaced only by a reconnect',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const row = (await world.row('42')) as { id: string; access_token: Buffer; refresh_token: Buffer }
    const broken = Buffer.from(row.access_token)
    broken[broken.length - 1]! ^= 1
    await world.sql`update oauth2_integration set access_token = ${broken} where user_id = '42'`
    const calls = world.entra.control.tokenRequests().total

    for (const [method, path, body] of [
      ['GET', '/tokens/42'],
      ['GET', '/tokens/42?min_ttl=1800'],
      ['POST', '/tokens/42/refresh', { generation: 1 }],
    ] as const) {
      t.match(
        await world.caller.send(method, path, body),
        { status: 500, body: { code: 'token_unreadable' } },
        `${method} ${path}`,
      )
    }
    t.match(
      await world.caller.send('GET', '/integrations/42'),
      { status: 200, body: { status: 'active' } },
      'calls that need no token still work',
    )
    t.same((await world.row('42'))!['access_token'], broken)
    t.equal(world.entra.control.tokenRequests().total, calls, 'no call to Microsoft')
    const alerts = world.replica
      .logged()
      .split('\n')
      .filter((line) => line.includes('"alert":"token_unreadable"'))
      .map((line) => JSON.parse(line) as object)
    t.match(alerts[0], {
      level: 'error',
      detail: 'authentication',
      table: 'oauth2_integration',
      column: 'access_token',
      id: row.id,
    })
    t.match(
      await world.replica.services.metrics.registry.metrics(),
      /token_broker_unreadable_values_total\{detail="authentication"\} 3\n/,
    )

    await world.connect('42')
    const { access_token: token } = await world.caller.token('42')
    t.equal(token, (await world.stored('42'))!.accessToken, 'the user has reconnected')
  },
)

t.test(
  'with a refresh token that cannot be opened the row stays unchanged: the valid token is served, then token_unreadable',
  async (t) => {
    const world = await startWorld(t)
    await world.connect('42')
    const { id } = (await world.row('42')) as { id: string }
    const foreign = createVault(parseSealingKeys(generateSealingKey('foreign'))).seal(
      contextOf({ id, userId: '42' }, 'refresh_token'),
      'x',
    )
    await world.sql`update oauth2_integration set refresh_token = ${foreign} where user_id = '42'`
    await world.setRemaining('42', 120)
    t.match(await world.caller.token('42'), { degraded: { reason: 'broker_trouble' } })
    await world.setRemaining('42', -1)
    t.match(await world.caller.send('GET', '/tokens/42'), { status: 500, body: { code: 'token_unreadable' } })
    t.match(await world.row('42'), { status: 'active', failure: null, lease_owner: null, refresh_token: foreign })
    t.match(
      await world.replica.services.metrics.registry.metrics(),
      /token_broker_unreadable_values_total\{detail="unknown_key"\} 2\n/,
    )
  },
)

t.test('metrics show the sealing keys of a replica, and the one that it seals with', async (t) => {
  const world = await startWorld(t)
  const replica = await world.startReplica({
    SEALING_KEYS: `${world.secrets.sealingKeys} ${generateSealingKey('next')}`,
  })
  const { payload } = await replica.operations.inject('/metrics')
  t.match(payload, /token_broker_sealing_key_info\{key_id="sandbox-1",use="seals"\} 1\n/)
  t.match(payload, /token_broker_sealing_key_info\{key_id="next",use="opens"\} 1\n/)
})
