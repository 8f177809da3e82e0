import { mock } from 'node:test'
import t from 'tap'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { KEPT, KEPT_FOR, remembering } from '../../src/crypto/remembered.ts'
import { createVault } from '../../src/crypto/vault.ts'
import type { SealContext } from '../../src/core/ports.ts'

function start() {
  const vault = createVault(parseSealingKeys(generateSealingKey('k1')))
  let opened = 0
  const counting = { ...vault, open: (context: SealContext, sealed: Uint8Array) => (opened++, vault.open(context, sealed)) }
  return {
    vault,
    remembered: remembering(counting, 'access_token'),
    opened: () => opened,
  }
}
const of = (userId: string, more: Partial<SealContext> = {}): SealContext =>
  ({ table: 'oauth2_integration', column: 'access_token', provider: 'microsoft', userId, recordId: `id-${userId}`, ...more })

t.test('what was opened a moment ago is not opened again', async (t) => {
  const { vault, remembered, opened } = start()
  const sealed = vault.seal(of('42'), 'token')
  for (let i = 0; i < 5; i++) t.equal(remembered.open(of('42'), Buffer.from(sealed)), 'token')
  t.equal(opened(), 1)
})

t.test('other bytes are opened anew: a later token, and every altered byte is refused', async (t) => {
  const { vault, remembered } = start()
  const sealed = vault.seal(of('42'), 'token')
  t.equal(remembered.open(of('42'), sealed), 'token')
  for (let i = 0; i < sealed.length; i++) {
    const altered = Buffer.from(sealed)
    altered[i]! ^= 1
    t.throws(() => remembered.open(of('42'), altered), { code: 'token_unreadable' })
  }
  t.throws(() => remembered.open(of('42'), sealed.subarray(0, -1)), { code: 'token_unreadable' })
  t.equal(remembered.open(of('42'), vault.seal(of('42'), 'later')), 'later')
})

t.test('the same bytes in another row, of another user, column or provider are refused as ever', async (t) => {
  const { vault, remembered } = start()
  const sealed = vault.seal(of('42'), 'token')
  t.equal(remembered.open(of('42'), sealed), 'token')
  for (const other of [of('43'), of('42', { recordId: 'id-43' }), of('43', { recordId: 'id-42' }), of('42', { column: 'refresh_token' }), of('42', { provider: 'other' }), of('42', { table: 'connect_session' })]) {
    t.throws(() => remembered.open(other, sealed), { code: 'token_unreadable' })
  }
})

t.test('of other columns nothing is kept', async (t) => {
  const { vault, remembered, opened } = start()
  const sealed = vault.seal(of('42', { column: 'refresh_token' }), 'refresh')
  remembered.open(of('42', { column: 'refresh_token' }), sealed)
  remembered.open(of('42', { column: 'refresh_token' }), sealed)
  t.equal(opened(), 2)
})

t.test('what nobody asks for is forgotten within a minute, what is asked for is kept', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { vault, remembered, opened } = start()
  const [idle, busy] = [vault.seal(of('idle'), 'a'), vault.seal(of('busy'), 'b')]
  mock.timers.tick(KEPT_FOR - 1)
  remembered.open(of('idle'), idle)
  remembered.open(of('busy'), busy)
  // So many others that the halves take turns a moment before time does.
  for (let i = 0; i < KEPT; i++) remembered.open(of(`${i}`), vault.seal(of(`${i}`), 'x'))
  remembered.open(of('idle'), idle)
  remembered.open(of('busy'), busy)
  const before = opened()
  for (let ms = 0; ms < 2 * KEPT_FOR; ms += 10_000) {
    mock.timers.tick(10_000)
    remembered.open(of('busy'), busy)
  }
  t.equal(opened(), before)
  remembered.open(of('idle'), idle)
  t.equal(opened(), before + 1)
})

t.test('it holds a bounded number', async (t) => {
  const { vault, remembered, opened } = start()
  const all = Array.from({ length: 3 * KEPT }, (_, i) => [of(`${i}`), vault.seal(of(`${i}`), `${i}`)] as const)
  for (const [context, sealed] of all) remembered.open(context, sealed)
  const before = opened()
  for (const [context, sealed] of all.slice(0, KEPT)) remembered.open(context, sealed)
  t.equal(opened() - before, KEPT, 'the first ones have made room')
})
