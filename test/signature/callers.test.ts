import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { CallersError, parseCallers } from '../../src/signature/callers.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { signRequest, toMessage } from '../../src/signature/sign.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import { CALLERS_FILE, ED25519, HMAC, NOW, RFC_PUBLIC } from './support.ts'

type Entry = Record<string, unknown>

const [megdocs, reports] = CALLERS_FILE.callers
const hmacKey = megdocs?.keys[0] as Entry
const publicKey = reports?.keys[0] as Entry
const SECRET = hmacKey['secret'] as string

t.test('a callers file is parsed into callers with permissions, options and keys', async (t) => {
  const { list, byKeyId } = parseCallers(JSON.stringify(CALLERS_FILE), NOW)
  t.same(
    list.map(({ name, permissions, strictReplay, signResponses }) => [
      name,
      [...permissions],
      strictReplay,
      signResponses,
    ]),
    [
      ['megdocs', ['tokens:read', 'tokens:refresh'], false, true],
      ['reports', ['events:read'], true, true],
    ],
  )
  const { caller, key } = byKeyId.get(HMAC.keyId) ?? {}
  t.equal(caller, list[0])
  t.match(key, {
    algorithm: 'hmac-sha256',
    notBefore: Date.parse('2026-11-01T00:00:00Z'),
    notAfter: Date.parse('2027-05-01T00:00:00Z'),
  })
  t.equal(byKeyId.get(ED25519.keyId)?.key.key.asymmetricKeyType, 'ed25519')
})

t.test('not_before may be missing, a key may be expired, a public key may be a PEM', async (t) => {
  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' })
  const { list } = parseCallers(
    file({
      keys: [
        { ...hmacKey, not_before: undefined },
        { ...publicKey, not_before: '2025-01-01T00:00:00Z', not_after: '2025-02-01T00:00:00Z' },
        { ...publicKey, key_id: 'pem', public_key: pem },
      ],
    }),
    NOW,
  )
  t.same(
    list[0]?.keys.map(({ notBefore }) => notBefore),
    [0, Date.parse('2025-01-01T00:00:00Z'), Date.parse('2026-11-01T00:00:00Z')],
  )
})

t.test('all problems are reported at once, each with its path', async (t) => {
  const json = JSON.stringify({
    callers: [
      {
        name: 'Meg Docs',
        permissions: ['tokens:read', 'tokens:write'],
        strict_replay: 'yes',
        keys: [{ ...hmacKey, algorithm: 'none', not_after: 'soon' }],
      },
      { name: 'megdocs', permissions: [], keys: [], extra: 1 },
    ],
  })
  t.same(
    problemsOf(json).map(({ path }) => path),
    [
      'callers[0].name',
      'callers[0].permissions[1]',
      'callers[0].strict_replay',
      'callers[0].keys[0].algorithm',
      'callers[0].keys[0].not_after',
      'callers[1]',
      'callers[1].permissions',
      'callers[1].keys',
    ],
  )
})

t.test('each of these problems alone is refused', async (t) => {
  const privatePem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })
  const ecPem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
  const secret = (value: unknown) => file({ keys: [{ ...hmacKey, secret: value }] })
  const pub = (value: unknown) => file({ keys: [{ ...publicKey, public_key: value }] })
  const from = (not_before: unknown, not_after: unknown) => file({ keys: [{ ...hmacKey, not_before, not_after }] })
  const counted = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64url')
  const zeros = Buffer.alloc(32).toString('base64url')
  const wrong: Record<string, [string, string]> = {
    'text that is not JSON': [`{"callers": [{"secret": "${SECRET}"`, '$'],
    'an unknown property at the top': [JSON.stringify({ ...CALLERS_FILE, version: 1 }), '$'],
    'no callers': ['{"callers":[]}', 'callers'],
    'an unknown property': [file({ permission: [] }), 'callers[0]'],
    'an unknown property of a key': [file({ keys: [{ ...hmacKey, notafter: 1 }] }), 'callers[0].keys[0]'],
    'a public key for HMAC': [file({ keys: [{ ...hmacKey, public_key: RFC_PUBLIC }] }), 'callers[0].keys[0]'],
    'a secret of 31 bytes': [
      secret(Buffer.from(SECRET).subarray(0, 31).toString('base64url')),
      'callers[0].keys[0].secret',
    ],
    'a secret with padding': [secret(`${SECRET}==`), 'callers[0].keys[0].secret'],
    'a secret that is a number': [secret(1), 'callers[0].keys[0].secret'],
    'no secret': [secret(undefined), 'callers[0].keys[0].secret'],
    'a secret of one byte repeated': [secret(zeros), 'callers[0].keys[0].secret'],
    'a secret of a repeated pattern': [secret('abcdefgh'.repeat(8)), 'callers[0].keys[0].secret'],
    'a secret that counts': [secret(counted), 'callers[0].keys[0].secret'],
    'a placeholder': [secret(`changeme-${SECRET.slice(0, 55)}`), 'callers[0].keys[0].secret'],
    'a public key of 31 bytes': [pub(RFC_PUBLIC.slice(0, 41)), 'callers[0].keys[0].public_key'],
    'a public key of zeros, for which everyone can make signatures': [pub(zeros), 'callers[0].keys[0].public_key'],
    'a private key where the public one belongs': [pub(privatePem), 'callers[0].keys[0].public_key'],
    'a public key of another kind': [pub(ecPem), 'callers[0].keys[0].public_key'],
    'a key id with a space': [file({ keys: [{ ...hmacKey, key_id: 'a b' }] }), 'callers[0].keys[0].key_id'],
    'no not_after': [from('2026-11-01T00:00:00Z', undefined), 'callers[0].keys[0].not_after'],
    'not_after before not_before': [
      from('2026-11-02T00:00:00Z', '2026-11-01T00:00:00Z'),
      'callers[0].keys[0].not_after',
    ],
    'a life of 401 days': [from('2026-01-01T00:00:00Z', '2027-02-06T00:00:00Z'), 'callers[0].keys[0].not_after'],
    'a life of more than 400 days from now': [from(undefined, '2028-01-01T00:00:00Z'), 'callers[0].keys[0].not_after'],
    'a time without a zone': [from('2026-11-01T00:00:00', '2027-05-01T00:00:00Z'), 'callers[0].keys[0].not_before'],
    'the 30th of February': [from('2026-11-01T00:00:00Z', '2027-02-30T00:00:00Z'), 'callers[0].keys[0].not_after'],
    'a key id twice': [
      file({ keys: [hmacKey, { ...publicKey, key_id: hmacKey['key_id'] }] }),
      'callers[0].keys[1].key_id',
    ],
    'a secret twice': [file({ keys: [hmacKey, { ...hmacKey, key_id: 'other' }] }), 'callers[0].keys[1].secret'],
    'a name twice': [JSON.stringify({ callers: [megdocs, { ...reports, name: 'megdocs' }] }), 'callers[1].name'],
  }
  for (const [name, [json, path]] of Object.entries(wrong)) {
    const problems = problemsOf(json)
    t.same(
      problems.map((problem) => problem.path),
      [path],
      name,
    )
  }
  t.doesNotThrow(
    () => parseCallers(from('2026-01-01T00:00:00Z', '2027-02-05T00:00:00Z'), NOW),
    '400 days are not too many',
  )
})

t.test('no error contains a value of the file', async (t) => {
  const marked = `canary-${SECRET}`
  const key = { [marked]: marked, secret: `${marked}=`, algorithm: marked, not_after: marked, key_id: `${marked}\n` }
  const callers = file({ name: marked, [marked]: marked, permissions: [marked], keys: [key] })
  for (const json of [`{"callers": "${marked}`, `{"${marked}": 1}`, callers]) {
    try {
      parseCallers(json, NOW)
      t.fail('accepted')
    } catch (error) {
      t.notMatch(`${(error as Error).stack} ${JSON.stringify(error)} ${String((error as Error).cause)}`, /canary/)
    }
  }
})

t.test('a key that leaks on its first day gets a successor with another id', async (t) => {
  const ids = [1, 2, 3].map(() => generateKey('ed25519', 'megdocs', NOW + 86_400_000, NOW).broker.key_id)
  t.equal(new Set(ids).size, 3)
})

t.test("the two halves of a generated key match: the broker's half verifies, the caller's half signs", async (t) => {
  for (const algorithm of ['hmac-sha256', 'ed25519'] as const) {
    const { broker, caller } = generateKey(algorithm, 'megdocs', NOW + 180 * 86_400_000, NOW)
    t.match(caller.key_id, /^megdocs-2026-11-22-[0-9a-f]{6}$/)
    t.match(broker, {
      key_id: caller.key_id,
      algorithm,
      not_before: '2026-11-22T10:00:00Z',
      not_after: '2027-05-21T10:00:00Z',
    })
    t.equal(broker.secret, caller.secret)
    t.notMatch(
      JSON.stringify(broker),
      caller.private_key ?? 'private_key',
      'the private key is only in the half of the caller',
    )
    const callers = parseCallers(file({ keys: [broker] }), NOW)
    const key = signingKey(caller.key_id, algorithm, (caller.secret ?? caller.private_key) as string)
    const request = { method: 'GET', url: 'http://localhost:8080/tokens/42' }
    const message = toMessage({ ...request, headers: signRequest(request, key, { now: NOW }) })
    t.equal(
      verifyRequest(message, { callers, authorities: new Set(['localhost:8080']), now: NOW }).kind,
      'verified',
      algorithm,
    )
  }
  t.throws(() => generateKey('ed25519', 'Meg Docs', NOW, NOW), TypeError)
  t.throws(() => generateKey('ed25519', 'megdocs', NOW, NOW, 'an id'), TypeError)
})

t.test('a signing key is read from a seed or a PEM, and an error does not repeat an unusable text', async (t) => {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  t.equal(signingKey('k', 'ed25519', pem).key.type, 'private')
  for (const text of ['canary', `${SECRET}canary=`]) {
    t.throws(() => signingKey('k', 'hmac-sha256', text), { message: 'not a usable hmac-sha256 signing key' })
    t.throws(() => signingKey('k', 'ed25519', text), { message: 'not a usable ed25519 signing key' })
  }
})

function file(overrides: Entry): string {
  return JSON.stringify({ callers: [{ ...megdocs, ...overrides }] })
}

function problemsOf(json: string): CallersError['problems'] {
  try {
    parseCallers(json, NOW)
    return []
  } catch (error) {
    if (error instanceof CallersError) return error.problems
    throw error
  }
}
