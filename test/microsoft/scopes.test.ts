import t from 'tap'
import {
  canonicalScopes,
  missingScopes,
  NEEDED_SCOPES,
  PERMISSIONS,
  requestedScope,
} from '../../src/microsoft/scopes.ts'

t.test('each permission stands with its words', async (t) => {
  t.strictSame(PERMISSIONS, [
    { scope: 'User.Read', words: 'Read your profile information' },
    { scope: 'Files.ReadWrite.All', words: 'Read and write your M365 files' },
  ])
})

t.test('a request asks for OpenID Connect, a refresh token and the permissions', async (t) => {
  t.equal(requestedScope(NEEDED_SCOPES), 'openid profile offline_access Files.ReadWrite.All User.Read')
  t.equal(requestedScope(['Mail.Read', 'user.read']), 'openid profile offline_access Mail.Read User.Read')
})

t.test("all of Microsoft's spellings of a grant come out as one", async (t) => {
  const answers = [
    'User.Read Files.ReadWrite.All profile openid email',
    'email openid profile https://graph.microsoft.com/Files.ReadWrite.All https://graph.microsoft.com/User.Read',
    'profile openid email 00000003-0000-0000-c000-000000000000/User.Read 00000003-0000-0000-C000-000000000000/files.readwrite.all 00000003-0000-0000-c000-000000000000/.default',
    '  USER.READ\tfiles.readwrite.all  User.Read ',
    'https://graph.microsoft.us/User.Read https://dod-graph.microsoft.us/Files.ReadWrite.All',
    'https://microsoftgraph.chinacloudapi.cn/User.Read https://GRAPH.microsoft.com/Files.ReadWrite.All offline_access',
  ]
  for (const answer of answers) {
    t.strictSame(canonicalScopes(answer), ['Files.ReadWrite.All', 'User.Read'], answer)
    t.strictSame(missingScopes(canonicalScopes(answer)), [])
  }
})

t.test('what else was granted is kept, what is no scope is not', async (t) => {
  t.strictSame(canonicalScopes('Sites.Read.All User.Read "x" caf\u00e9'), ['Sites.Read.All', 'User.Read'])
  t.strictSame(canonicalScopes('https://graph.microsoft.com.evil.example/User.Read'), [
    'https://graph.microsoft.com.evil.example/User.Read',
  ])
  t.strictSame(canonicalScopes(''), [])
})

t.test('missing scopes are named in the order of the needed ones', async (t) => {
  t.strictSame(missingScopes([]), ['User.Read', 'Files.ReadWrite.All'])
  t.strictSame(missingScopes(['files.readwrite.ALL']), ['User.Read'])
  t.strictSame(
    missingScopes(['Files.Read.All', 'User.ReadBasic.All']),
    ['User.Read', 'Files.ReadWrite.All'],
    'a similar name does not count',
  )
  t.strictSame(missingScopes(['User.Read'], ['User.Read', 'Mail.Read']), ['Mail.Read'])
})
