import { inspect } from 'node:util'
import t from 'tap'
import { maskedConfig } from '../../src/config.ts'
import { errorOf, MINIMAL, problemsOf, read, rsaPair } from './environment-of-tests.ts'

const [OLD, OLDER] = ['22222222-2222-3333-4444-555555555555', '33333333-2222-3333-4444-555555555555']
const [ONE, TWO] = ['one8Q~CANARYopqrstuvwx.yz_0123456-4', 'two8Q~CANARYopqrstuvwx.yz_0123456-4']

t.test('permissions are those with words, in any letter case, each once', async (t) => {
  const of = (value: string) => read({ MICROSOFT_PERMISSIONS: value }).microsoft.permissions
  t.strictSame(read().microsoft.permissions, ['User.Read', 'Files.ReadWrite.All'])
  t.strictSame(of('User.Read Files.ReadWrite'), ['User.Read', 'Files.ReadWrite'])
  t.strictSame(of('user.read,SITES.selected\nSites.Selected'), ['User.Read', 'Sites.Selected'])
  t.strictSame(of('Sites.ReadWrite.All'), ['Sites.ReadWrite.All'], 'User.Read is not needed by the broker')
})

t.test('a permission without words is refused at the start, with the list', async (t) => {
  const all = 'User.Read, Files.ReadWrite, Files.ReadWrite.All, Sites.Selected, Sites.ReadWrite.All'
  t.strictSame(problemsOf({ MICROSOFT_PERMISSIONS: 'User.Read Mail.Read' }), [
    `MICROSOFT_PERMISSIONS: entry 2 is not one of ${all}`,
  ])
  for (const value of ['offline_access', 'https://graph.microsoft.com/User.Read', 'Files.ReadWrite.all.x', '.default'])
    t.strictSame(problemsOf({ MICROSOFT_PERMISSIONS: value }), [`MICROSOFT_PERMISSIONS: is not one of ${all}`], value)
  t.strictSame(problemsOf({ MICROSOFT_PERMISSIONS: ',' }), ['MICROSOFT_PERMISSIONS: names no permission'])
  t.match(errorOf({ MICROSOFT_PERMISSIONS: 'Mail.Read' }).message, all)
  t.strictSame(problemsOf({ MICROSOFT_PERMISSIONS: 'User.Read Sites.Selected', MICROSOFT_TENANT: 'consumers' }), [
    'MICROSOFT_PERMISSIONS: has a permission on sites, which personal accounts do not have',
  ])
})

t.test('earlier registrations come with a credential each, as entries or as JSON', async (t) => {
  const of = (value: string) => read({ MICROSOFT_PREVIOUS_CLIENTS: value }).microsoft.previousClients
  t.strictSame(JSON.parse(JSON.stringify(read().microsoft.previousClients)), [])
  const secrets = (...list: string[]) => list.map((secret) => ({ kind: 'secret', secret }))
  t.same(of(`${OLD}:${ONE}`), [{ clientId: OLD, credentials: secrets(ONE) }])
  t.same(of(`${OLD.toUpperCase()}:${ONE}\n${OLDER}:${ONE},${OLD}:${TWO}`), [
    { clientId: OLD, credentials: secrets(ONE, TWO) },
    { clientId: OLDER, credentials: secrets(ONE) },
  ])
  t.same(of(JSON.stringify([{ client_id: OLD, federated_token_file: '/var/run/token' }])), [
    { clientId: OLD, credentials: [{ kind: 'federated', file: '/var/run/token' }] },
  ])
  const { certificate, privateKey } = rsaPair()
  t.same(
    of(
      JSON.stringify([
        { client_id: OLD, client_secret: [ONE, TWO] },
        { client_id: OLDER, client_secret: ONE, client_certificate: certificate, client_key: privateKey },
      ]),
    ),
    [
      { clientId: OLD, credentials: secrets(ONE, TWO) },
      {
        clientId: OLDER,
        credentials: [
          { kind: 'certificate', certificate: certificate.trim(), privateKey: privateKey.trim() },
          ...secrets(ONE),
        ],
      },
    ],
  )
})

t.test('what is wrong with an earlier registration is named, and no secret is repeated', async (t) => {
  const { certificate, privateKey } = rsaPair()
  const json = (...entries: unknown[]) => JSON.stringify(entries)
  const cases: [value: string, problems: string[]][] = [
    [ONE, ['entry 1 is not client_id:secret']],
    [`x:${ONE}`, ['entry 1 is not a GUID']],
    [`${OLD}:short`, ['entry 1 is not 16 to 64 characters long']],
    [`${OLD}:${OLDER}`, ['entry 1 is a GUID: that is the id of a secret; the secret itself is the column "Value"']],
    [`[{"client_id": ${ONE}`, ['is not valid JSON']],
    [json('x'), ['entry 1 is not an object']],
    [
      json({ client_id: OLD }),
      ['entry 1 has neither client_secret nor client_certificate with client_key nor federated_token_file'],
    ],
    [
      json({ client_id: OLD, client_secret: 5 }),
      [
        'entry 1: client_secret is not text',
        'entry 1 has neither client_secret nor client_certificate with client_key nor federated_token_file',
      ],
    ],
    [
      json({ client_id: OLD, [ONE]: ONE, client_secret: ONE }),
      ['entry 1 has other members than client_id, client_secret, client_certificate, client_key, federated_token_file'],
    ],
    [
      json({ client_id: OLD, client_secret: ONE }, { client_id: OLD, client_secret: TWO }),
      ['entry 2 has the client_id of an entry before it'],
    ],
    [
      json({ client_id: OLD, federated_token_file: 'token' }),
      ['entry 1: federated_token_file is not an absolute path'],
    ],
    [
      json({ client_id: OLD, client_secret: ONE, federated_token_file: '/token' }),
      ['entry 1 has another credential beside federated_token_file: remove one'],
    ],
    [
      json({ client_id: OLD, client_certificate: certificate }),
      ['entry 1: client_certificate and client_key holds no PEM private key'],
    ],
    [
      json({ client_id: OLD, client_certificate: certificate, client_key: rsaPair().privateKey }),
      [
        'entry 1: client_certificate and client_key certificate 1 belongs to none of the private keys',
        'entry 1: client_certificate and client_key 1 of the private keys in it fit none of the certificates',
      ],
    ],
    [`${MINIMAL['MICROSOFT_CLIENT_ID']}:${ONE}`, ['has an entry for MICROSOFT_CLIENT_ID itself']],
  ]
  for (const [value, problems] of cases) {
    const changes = { MICROSOFT_PREVIOUS_CLIENTS: value }
    t.strictSame(
      problemsOf(changes),
      problems.map((problem) => `MICROSOFT_PREVIOUS_CLIENTS: ${problem}`),
      value.slice(0, 60),
    )
    t.notMatch(errorOf(changes).message, /CANARY|PRIVATE KEY-/)
  }
  const config = read({
    MICROSOFT_PREVIOUS_CLIENTS: json({
      client_id: OLD,
      client_secret: ONE,
      client_certificate: certificate,
      client_key: privateKey,
    }),
  })
  for (const part of [config, config.microsoft, config.microsoft.previousClients, maskedConfig(config)])
    t.notMatch(`${inspect(part, { depth: 12 })} ${JSON.stringify(part)}`, /CANARY|PRIVATE KEY-/)
  t.match(JSON.parse(JSON.stringify(config)), {
    microsoft: { previousClients: [{ clientId: OLD, credentials: [{ privateKey: '***' }, { secret: 'one***' }] }] },
  })
})
