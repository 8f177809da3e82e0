import t from 'tap'
import { createHeartbeat } from '../../src/heartbeat.ts'
import { startWorld } from '../support/world.ts'

// The whole log of a running broker: each fact has one name in all lines, and the names lead from a token to the
// refresh that brought it (docs/audit.md#from-a-document-to-the-hospitals-own-microsoft-log).

type Line = Record<string, unknown>

/** Other names for what has one. */
const OTHER_NAMES = [
  'userId',
  'user',
  'uid',
  'requestId',
  'reqId',
  'correlationId',
  'integrationId',
  'callerName',
  'keyId',
]

t.test('one name for each fact, and read → generation → refresh → correlation id', async (t) => {
  const world = await startWorld(t, { env: { LOG_LEVEL: 'trace' } })
  const { replica, caller, entra } = world
  await world.connect('42')
  await world.setRemaining('42', 10)
  await caller.token('42', 'document:4711')
  entra.control.configureApp({ clientSecrets: ['another-secret-than-the-brokers-own-value'] })
  await world.setRemaining('42', 120)
  await caller.token('42')
  await createHeartbeat(replica.services).beat()
  await replica.services.keepAlive.sweep(new AbortController().signal)
  await fetch(`${replica.internalUrl}/tokens/42`, { headers: { host: 'token-broker.internal' } })
  await fetch(`${replica.publicUrl}/accounts/account/microsoft/`)
  await caller.disconnect('42')
  const lines = replica
    .logged()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
  t.ok(lines.length > 15)
  for (const line of lines)
    for (const name of Object.keys(line)) {
      t.match(name, /^[a-z][a-z0-9_]*$/, JSON.stringify(line))
      t.notOk(OTHER_NAMES.includes(name), name)
    }

  const read = lines.find(({ audit, context }) => audit === 'token_handed_out' && context === 'document:4711')!
  const saved = lines.find(
    ({ msg, generation }) => msg === 'refreshed tokens saved' && generation === read['generation'],
  )
  t.match(saved, { user_id: '42', integration_id: String, request_id: read['request_id'] })
  const sent = lines.find(({ msg, request_id: id }) => msg === 'refreshed at Microsoft' && id === saved?.['request_id'])
  t.match(sent, { user_id: '42', integration_id: saved?.['integration_id'], outcome: 'tokens', generation: Number })
  const failed = lines.find(({ msg, outcome }) => msg === 'refreshed at Microsoft' && outcome === 'misconfigured')
  t.match(failed, { user_id: '42', correlation_id: String, aadsts: Number, request_id: String })
})
