import { generateKeyPairSync, sign } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startIssuer } from '../../sandbox/issuer.ts'
import {
  createFederatedTokenSource,
  MAX_TOKEN_BYTES,
  parseFederatedToken,
  type FederatedTokenState,
} from '../../src/microsoft/federated-token.ts'
import { manualClock, NOW } from './support.ts'

async function setUp(t: Test, bits = 2048) {
  const clock = manualClock()
  const issuer = await startIssuer({ now: () => clock.now(), bits })
  t.teardown(() => issuer.close())
  const file = join(t.testdir(), 'token')
  const changes: FederatedTokenState[] = []
  const source = createFederatedTokenSource(file, clock, (state) => changes.push(state))
  return { clock, issuer, file, changes, source, write: (text: string) => writeFileSync(file, text) }
}

t.test('each reading takes what the file holds then', async (t) => {
  const { issuer, source, write, changes } = await setUp(t)
  const [one, two] = [issuer.token(), issuer.token()]
  write(one)
  t.equal(await source.assertion(), one)
  write(`${two}\n`)
  t.equal(await source.assertion(), two, 'without the line break at its end')
  t.match(await source.state(), {
    problem: undefined,
    token: {
      issuer: issuer.url,
      subject: 'system:serviceaccount:megdocs:token-broker',
      audiences: ['api://AzureADTokenExchange'],
      expiresAtMs: NOW + 3_600_000,
      algorithm: 'RS256',
    },
  })
  t.notMatch(JSON.stringify(await source.state()), two.slice(-40))
  t.same(changes, [])
})

t.test('no part of a token is taken for a token, and the last good one is used while it is valid', async (t) => {
  const { issuer, source, write, clock } = await setUp(t)
  const good = issuer.token()
  write(good)
  await source.assertion()
  const next = issuer.token()
  for (let length = 0; length < next.length; length++) {
    write(next.slice(0, length))
    const found = await source.assertion()
    if (found !== good) t.fail(`${length} of ${next.length} characters`)
  }
  write(next)
  t.equal(await source.assertion(), next)
  write('')
  clock.advance(3_599_000)
  t.equal(await source.assertion(), next, 'a second before its end')
  clock.advance(1_000)
  t.equal(await source.assertion(), undefined, 'at its end')
})

t.test('a part of a token with a long signature is not taken for one of a shorter key', async (t) => {
  const { issuer, source, write } = await setUp(t, 4096)
  const good = issuer.token()
  write(good)
  await source.assertion()
  const next = issuer.token()
  const head = next.slice(0, next.lastIndexOf('.') + 1)
  // As long as the signature of a key of 2048 bits.
  const cut = head + Buffer.from(next.slice(head.length), 'base64url').subarray(0, 256).toString('base64url')
  t.match(parseFederatedToken(cut, NOW), { assertion: cut }, 'alone it cannot be told')
  write(cut)
  t.equal(await source.assertion(), good)
})

t.test('a missing, large, foreign or expired file is named, and the log hears of each change once', async (t) => {
  const { issuer, source, write, file, changes, clock } = await setUp(t)
  t.equal(await source.assertion(), undefined, 'there is no file')
  t.equal(await source.assertion(), undefined)
  write('x'.repeat(MAX_TOKEN_BYTES + 1))
  t.equal(await source.assertion(), undefined)
  write('-----BEGIN CERTIFICATE-----')
  t.equal(await source.assertion(), undefined)
  write(issuer.token({ exp: NOW / 1000 }))
  t.equal(await source.assertion(), undefined)
  const good = issuer.token()
  write(good)
  t.equal(await source.assertion(), good)
  rmSync(file)
  t.equal(await source.assertion(), good)
  t.equal(await source.assertion(), good)
  clock.advance(3_600_000)
  t.equal(await source.assertion(), undefined)
  t.same(
    changes.map(({ problem, token }) => [problem, token !== undefined]),
    [
      ['unreadable', false],
      ['too_large', false],
      ['malformed', false],
      ['expired', false],
      [undefined, true],
      ['unreadable', true],
      ['unreadable', false],
    ],
  )
  const folder = createFederatedTokenSource(t.testdir(), clock)
  t.same(await folder.state(), { problem: 'unreadable' }, 'a folder')
})

t.test('what is no JWT with issuer, subject, audience and expiry is malformed', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: 'https://i', sub: 's', aud: 'a', exp: NOW / 1000 + 60 }
  const made = (changes: object, header: unknown = { alg: 'RS256' }) => {
    const text = `${encode(header)}.${encode({ ...claims, ...changes })}`
    return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`
  }
  t.match(parseFederatedToken(made({}), NOW), { facts: { issuer: 'https://i', audiences: ['a'] } })
  const wrong = {
    'no issuer': made({ iss: undefined }),
    'no subject': made({ sub: 7 }),
    'no audience': made({ aud: [] }),
    'an empty audience': made({ aud: ['a', ''] }),
    'no expiry': made({ exp: undefined }),
    'an expiry in words': made({ exp: '9999999999' }),
    'an expiry in milliseconds': made({ exp: NOW }),
    'an expiry without end': made({ exp: 1e300 }),
    'no algorithm': made({}, {}),
    'the algorithm none': made({}, { alg: 'none' }),
    'a header that is a list': made({}, ['RS256']),
    'a short signature': `${made({}).split('.').slice(0, 2).join('.')}.AAAA`,
    'a fourth part': `${made({})}.AAAA`,
    'a padded part': `${made({})}==`,
    'a space in it': made({}).replace('.', '. '),
    'an access token that is no JWT': 'opaque',
  }
  for (const [name, text] of Object.entries(wrong))
    t.same(parseFederatedToken(text, NOW), { problem: 'malformed' }, name)
  t.match(parseFederatedToken(made({ exp: NOW / 1000 }), NOW), { problem: 'expired', expired: { expiresAtMs: NOW } })
})
