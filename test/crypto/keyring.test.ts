import { createSecretKey } from 'node:crypto'
import { inspect } from 'node:util'
import t from 'tap'
import { generateSealingKey, parseSealingKeys, SealingKeysError } from '../../src/crypto/keyring.ts'

// On purpose not random, but varied enough to be accepted.
const bytes = (seed: number) =>
  Buffer.from(Array.from({ length: 32 }, (_, i) => (i * i * 7 + seed * 31 + i * seed) % 251))
const base64url = (seed: number) => bytes(seed).toString('base64url')

function problemsOf(text: string): readonly string[] {
  try {
    parseSealingKeys(text)
  } catch (error) {
    if (error instanceof SealingKeysError) return error.problems
    throw error
  }
  return []
}

t.test('a list is read newest first, with any separator and in both base64 alphabets', async (t) => {
  const standard = bytes(9).toString('base64')
  t.match(standard, /[+/].*=$/, 'this test contains the padded standard alphabet')
  for (const text of [
    `new:${base64url(1)},old:${standard}`,
    `  new:${base64url(1)}\n\told:${standard}\r\n`,
    `# newest\nnew:${base64url(1)}=,\n  # kept for reading\nold:${standard} `,
  ]) {
    const keyring = parseSealingKeys(text)
    t.same(
      keyring.map(({ id }) => id),
      ['new', 'old'],
    )
    t.ok(keyring[0].key.equals(createSecretKey(bytes(1))))
    t.ok(keyring[1]?.key.equals(createSecretKey(bytes(9))))
    t.ok(Object.isFrozen(keyring) && keyring.every((key) => Object.isFrozen(key)))
  }
})

t.test('a generated key is accepted and has 32 bytes from the given source', async (t) => {
  t.equal(
    generateSealingKey('2026-11', (size) => bytes(3).subarray(0, size)),
    `2026-11:${base64url(3)}`,
  )
  for (let i = 0; i < 200; i++) t.equal(parseSealingKeys(generateSealingKey('k')).length, 1)
  t.throws(() => generateSealingKey('with space'), RangeError)
  t.throws(() => generateSealingKey(''), RangeError)
})

t.test('all problems are listed at once, each with its position', async (t) => {
  const text = [
    `good:${base64url(1)}`,
    'nocolon',
    `:${base64url(2)}`,
    'sp@ce:x',
    'empty:',
    'short:c2hvcnQ',
    `hex:${bytes(4).toString('hex')}`,
    'symbols:***************',
    `good:${base64url(5)}`,
    `twin:${base64url(1)}`,
  ].join('\n')
  t.same(problemsOf(text), [
    'entry 2: expected key_id:key',
    'entry 3: a key id is 1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit',
    'entry 4: a key id is 1 to 32 of A-Z a-z 0-9 . _ -, beginning with a letter or digit',
    'entry 5 (empty): the key is missing after the colon',
    'entry 6 (short): expected 32 bytes in base64, found 5',
    'entry 7 (hex): expected 32 bytes in base64, found 48',
    'entry 8 (symbols): a placeholder, not a key; make one with: token-broker keygen',
    'good: this key id is in the list twice',
    'twin: the same key as good',
  ])
  for (const nothing of ['', ' \n,, ', '# only a comment']) {
    t.same(problemsOf(nothing), ['the list is empty: at least one key is needed'])
  }
})

t.test('keys that are not random are refused', async (t) => {
  const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
  const descending = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - 3 * i))
  const passphrase = Buffer.from('Correct horse battery staple, 1!')
  for (const [name, key] of [
    ['zeros', Buffer.alloc(32).toString('base64')],
    ['one byte repeated', Buffer.alloc(32, 0x5b).toString('base64url')],
    ['five bytes repeated', Buffer.alloc(32, Buffer.of(0x9c, 0x03, 0xe1, 0x57, 0xf8)).toString('base64')],
    ['counting up', ascending.toString('base64')],
    ['counting down', descending.toString('base64')],
    ['a readable text', passphrase.toString('base64')],
    ['XXXX', 'X'.repeat(43)],
    ['changeme', 'changeme'],
    ['CHANGE-ME', `CHANGE-ME${'abcdefghijklmnopqrstuvwxyz0123456789'.slice(0, 34)}`],
    ['33 bytes', Buffer.concat([bytes(1), Buffer.of(7)]).toString('base64')],
    ['31 bytes', bytes(1).subarray(1).toString('base64')],
    ['mixed alphabets', `${base64url(1).slice(0, 41)}+_`],
  ] as const) {
    t.equal(problemsOf(`k:${key}`).length, 1, name)
  }
})

t.test('neither errors nor keys show the value', async (t) => {
  const secret = base64url(6)
  for (const text of [
    secret,
    `${secret}:k`,
    `k:${secret}A`,
    `k:${secret.slice(1)}`,
    `a:${secret},a:${secret},b:${secret}`,
    `${secret.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 32)}:${base64url(7)}A`,
  ]) {
    const error = t.throws(() => parseSealingKeys(text)) as Error
    const shown = `${inspect(error, { depth: 9, showHidden: true })} ${error.stack} ${JSON.stringify(error)}`
    for (let at = 0; at + 8 <= secret.length; at++)
      t.notOk(shown.includes(secret.slice(at, at + 8)), 'no 8 characters of the secret are shown')
  }
  const [key] = parseSealingKeys(`k:${secret}`)
  t.notOk(`${inspect(key, { depth: 9, showHidden: true })}${JSON.stringify(key)}`.includes(secret))
})
