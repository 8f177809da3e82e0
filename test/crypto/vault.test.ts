import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { Failure } from '../../src/core/failure.ts'
import type { SealContext } from '../../src/core/ports.ts'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { createVault, keyIdOf, UNREADABLE } from '../../src/crypto/vault.ts'

const NEW = generateSealingKey('2026-11')
const OLD = generateSealingKey('2025-11')
const vault = createVault(parseSealingKeys(NEW))
const CONTEXT: SealContext = {
  table: 'oauth2_integration',
  column: 'access_token',
  provider: 'microsoft',
  userId: '42',
  recordId: '01890a5d-ac96-774b-bcce-b302099a8057',
}
const TOKEN = `eyJ0eXAiOiJKV1Qi${'canary-token-'.repeat(20)}`

/** The detail of the failure, or `opened`. Other errors are thrown again. */
function openingOf(context: SealContext, sealed: Uint8Array, by = vault): string {
  try {
    by.open(context, sealed)
    return 'opened'
  } catch (error) {
    if (error instanceof Failure && error.code === 'token_unreadable') return error.facts.detail ?? 'no detail'
    throw error
  }
}

// A value that an independent implementation (Python's cryptography) sealed. It must always open, because databases
// contain such values.
const VECTOR = {
  key: `2026-11:${createHash('sha256').update('token-broker sealed value vector').digest('base64url')}`,
  random: Buffer.from(Array.from({ length: 28 }, (_, i) => i)),
  context: { ...CONTEXT, column: 'refresh_token', userId: 'Zoë:1' } as const,
  plaintext: '0.AXoA-é-refresh',
  sealed: Buffer.from(
    '0107323032362d3131000102030405060708090a0b0c0d0e0f101112131415161718191a1b94f5190cc63a959026a9def379' +
      'f9366120834beb1378edc2bd6de93e107cd324f0',
    'hex',
  ),
}

t.test('the format equals that of an independent implementation, byte for byte', async (t) => {
  const fixed = createVault(parseSealingKeys(VECTOR.key), (size) => VECTOR.random.subarray(0, size))
  t.equal(fixed.open(VECTOR.context, VECTOR.sealed), VECTOR.plaintext)
  t.same(fixed.seal(VECTOR.context, VECTOR.plaintext), VECTOR.sealed)
})

t.test('each sealed value opens in its own context only (property)', async () => {
  // The three free fields are pieces of one text, so that contexts often differ only in where one field ends.
  const pieces = fc.constantFrom('', '42', '1:a', 'microsoft', '0:2:42').chain((text) =>
    fc.tuple(fc.nat(text.length), fc.nat(text.length)).map((cuts) => {
      const [first, second] = cuts.sort((a, b) => a - b) as [number, number]
      return { provider: text.slice(0, first), userId: text.slice(first, second), recordId: text.slice(second) }
    }),
  )
  const anything = fc.record({
    provider: fc.string({ unit: 'binary', maxLength: 9 }),
    userId: fc.string({ unit: 'binary', maxLength: 40 }),
    recordId: fc.string({ unit: 'binary', maxLength: 40 }),
  })
  const contexts = fc
    .tuple(
      fc.constantFrom<SealContext['table']>('oauth2_integration', 'connect_session'),
      fc.constantFrom<SealContext['column']>('access_token', 'refresh_token', 'code'),
      fc.oneof(pieces, anything),
    )
    .map(([table, column, rest]) => ({ table, column, ...rest }))
  fc.assert(
    fc.property(contexts, contexts, fc.string({ unit: 'binary', maxLength: 3000 }), (context, other, plaintext) => {
      const sealed = vault.seal(context, plaintext)
      if (vault.open(context, sealed) !== plaintext) return false
      const same = (Object.keys(context) as (keyof SealContext)[]).every((field) => context[field] === other[field])
      return openingOf(other, sealed) === (same ? 'opened' : 'authentication')
    }),
    { numRuns: 2000 },
  )
})

t.test('the same text sealed twice has only the header in common', async (t) => {
  const [one, two] = [vault.seal(CONTEXT, TOKEN), vault.seal(CONTEXT, TOKEN)]
  const header = 2 + '2026-11'.length
  t.same(one.subarray(0, header), two.subarray(0, header))
  t.notSame(one.subarray(header, header + 16), two.subarray(header, header + 16), 'salt')
  t.notSame(one.subarray(header + 16, header + 28), two.subarray(header + 16, header + 28), 'iv')
  t.notSame(one.subarray(header + 28, -16), two.subarray(header + 28, -16), 'ciphertext')
  t.notOk(one.includes('canary'), 'the sealed value does not contain the text')
  t.equal(one.length, header + 16 + 12 + TOKEN.length + 16)
})

t.test('no value opens after any pairwise swap over 200 rows and both columns', async (t) => {
  const places = Array.from({ length: 200 }, (_, row) =>
    (['access_token', 'refresh_token'] as const).map((column) => ({
      ...CONTEXT,
      column,
      userId: `user-${row}`,
      recordId: `record-${row}`,
    })),
  ).flat()
  const values = places.map((place) => vault.seal(place, TOKEN))
  let swaps = 0
  let opened = 0
  for (const [i, place] of places.entries()) {
    for (const [j, value] of values.entries()) {
      if (i === j) continue
      swaps++
      if (openingOf(place, value) !== 'authentication') opened++
    }
  }
  t.equal(swaps, 400 * 399)
  t.equal(opened, 0)
  t.ok(
    places.every((place, i) => vault.open(place, values[i]!) === TOKEN),
    'each value opens in its own row and column',
  )
})

t.test('a value opens only with every field of its context', async (t) => {
  const sealed = vault.seal(CONTEXT, TOKEN)
  for (const wrong of [
    { table: 'connect_session' },
    { column: 'refresh_token' },
    { provider: 'Microsoft' },
    { userId: '43' },
    { recordId: CONTEXT.recordId.toUpperCase() },
    { provider: 'microsoft4', userId: '2' },
  ] as Partial<SealContext>[]) {
    t.equal(openingOf({ ...CONTEXT, ...wrong }, sealed), 'authentication', Object.keys(wrong).join())
  }
})

t.test('a value with any byte changed does not open', async (t) => {
  const sealed = vault.seal(CONTEXT, TOKEN)
  const header = 2 + '2026-11'.length
  for (let at = 0; at < sealed.length; at++) {
    const expected = at === 0 ? 'wrong_version' : at < header ? 'unknown_key' : 'authentication'
    for (const flip of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= flip
      t.equal(openingOf(CONTEXT, changed), expected, `byte ${at}`)
    }
  }
})

t.test('a value with a piece missing or added does not open', async (t) => {
  const sealed = vault.seal(CONTEXT, TOKEN)
  for (let length = 0; length < sealed.length; length++) {
    t.ok(
      UNREADABLE.some((detail) => detail === openingOf(CONTEXT, sealed.subarray(0, length))),
      `first ${length} bytes`,
    )
  }
  for (const length of [0, 1, 2, 9, 9 + 28 + 15]) t.equal(openingOf(CONTEXT, sealed.subarray(0, length)), 'truncated')
  t.equal(openingOf(CONTEXT, Buffer.concat([sealed, Buffer.of(0)])), 'authentication')
  t.equal(openingOf(CONTEXT, sealed.subarray(1)), 'wrong_version')
})

t.test('a tag of 4, 8 or 12 bytes does not open, although Node accepts it by default', async (t) => {
  // With an empty text only the tag follows the iv. Node would accept a shorter one without authTagLength.
  const sealed = vault.seal(CONTEXT, '')
  for (const cut of [12, 8, 4]) t.equal(openingOf(CONTEXT, sealed.subarray(0, sealed.length - cut)), 'truncated')
  // And a longer value that is cut: the bytes at the position of the tag are then ciphertext.
  const longer = vault.seal(CONTEXT, TOKEN)
  for (const cut of [12, 8, 4]) t.equal(openingOf(CONTEXT, longer.subarray(0, longer.length - cut)), 'authentication')
})

t.test('the old key in second place still opens and the new one seals', async (t) => {
  const before = createVault(parseSealingKeys(OLD))
  const during = createVault(parseSealingKeys(`${NEW},${OLD}`))
  const readersFirst = createVault(parseSealingKeys(`${OLD},${NEW}`))
  const sealed = before.seal(CONTEXT, TOKEN)
  t.equal(during.open(CONTEXT, sealed), TOKEN)
  t.equal(keyIdOf(during.seal(CONTEXT, TOKEN)), '2026-11')
  // During a rolling update, some replicas know the new key but still seal with the old one.
  t.equal(readersFirst.open(CONTEXT, during.seal(CONTEXT, TOKEN)), TOKEN)
  t.equal(openingOf(CONTEXT, sealed), 'unknown_key', 'after the old key was removed')
  t.same(during.keyIds, ['2026-11', '2025-11'])
  const impostor = createVault(parseSealingKeys(generateSealingKey('2025-11')))
  t.equal(openingOf(CONTEXT, sealed, impostor), 'authentication', 'another key with the same id does not open')
})

t.test('keyIdOf returns the key id of a sealed value, and undefined for other bytes', async (t) => {
  const sealed = vault.seal(CONTEXT, '')
  t.equal(keyIdOf(sealed), '2026-11')
  t.equal(keyIdOf(new Uint8Array(sealed)), '2026-11')
  const plain = Buffer.from('plain text that is long enough to be a sealed value'.repeat(2))
  for (const other of [Buffer.alloc(0), Buffer.of(1), sealed.subarray(0, -1), plain]) t.equal(keyIdOf(other), undefined)
})

t.test('a canary shows whether an id still belongs to the same key', async (t) => {
  const both = createVault(parseSealingKeys(`${NEW},${OLD}`))
  const canary = both.sealCanary('2025-11')
  t.equal(keyIdOf(canary), '2025-11', 'sealed by its own key, not by the newest')
  t.doesNotThrow(() => both.checkCanary('2025-11', canary))
  t.doesNotThrow(() => createVault(parseSealingKeys(OLD)).checkCanary('2025-11', canary))

  const itsPlace = { table: 'sealing_key', column: 'canary', provider: '', userId: '', recordId: '2026-11' } as const
  const renamed = createVault(parseSealingKeys(OLD.replace('2025-11', '2026-11')))
  for (const [by, id, sealed, detail] of [
    [createVault(parseSealingKeys(generateSealingKey('2025-11'))), '2025-11', canary, 'authentication'],
    [renamed, '2026-11', both.sealCanary('2026-11'), 'authentication'],
    [vault, '2025-11', canary, 'unknown_key'],
    [both, '2026-11', canary, 'unknown_key'],
    [both, '2025-11', canary.subarray(0, -1), 'authentication'],
    [both, '2025-11', Buffer.from('no sealed value'), 'unknown_key'],
    [both, '2026-11', both.seal({ ...CONTEXT, table: 'sealing_key', column: 'canary' }, 'x'), 'authentication'],
    [both, '2026-11', both.seal(itsPlace, 'another text'), 'authentication'],
  ] as const) {
    const error = t.throws(() => by.checkCanary(id, sealed)) as Failure
    t.equal(error.code, 'token_unreadable')
    t.equal(error.facts.detail, detail)
  }
  t.throws(() => vault.sealCanary('2025-11'), RangeError)
})

t.test('a failure does not show the value, the key or the context', async (t) => {
  const sealed = vault.seal({ ...CONTEXT, userId: 'canary-user' }, TOKEN)
  const error = t.throws(() => vault.open(CONTEXT, sealed)) as Failure
  const shown = `${inspect(error, { depth: 9, showHidden: true })} ${error.stack} ${JSON.stringify(error)}`
  t.equal(error.message, 'token_unreadable: authentication')
  for (const encoding of ['hex', 'base64', 'latin1'] as const)
    t.notOk(shown.includes(sealed.toString(encoding).slice(60, 70)))
  for (const secret of ['canary', 'eyJ0', NEW.slice(8)]) t.notOk(shown.includes(secret))
  const whole = `${inspect(vault, { depth: 9, showHidden: true })}${JSON.stringify(vault)}`
  t.notOk(whole.includes(NEW.slice(8)), 'the vault does not show its key either')
})
