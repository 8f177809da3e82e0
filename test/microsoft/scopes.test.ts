import t from 'tap'
import { DEFAULT_SCOPES, PERMISSIONS, permissionsOf } from '../../src/core/microsoft-permissions.ts'
import {
  canonicalScopes,
  excessScopes,
  missingScopes,
  requestedScope,
  scopesToRefresh,
} from '../../src/microsoft/scopes.ts'
import { texts } from '../../src/texts/texts.ts'

t.test('each permission stands with its words', async (t) => {
  t.strictSame(
    PERMISSIONS.map(({ scope }) => [scope, texts.en.permission.words[scope]]),
    [
      ['User.Read', 'Read your profile information'],
      ['Files.ReadWrite', 'Read and write your own M365 files'],
      ['Files.ReadWrite.All', 'Read and write your M365 files'],
      ['Sites.Selected', 'Read and write in the SharePoint sites that your administrator selects'],
      ['Sites.ReadWrite.All', 'Read and write in all SharePoint sites that you can open'],
    ],
  )
  t.strictSame(
    permissionsOf(DEFAULT_SCOPES).map(({ scope }) => scope),
    ['User.Read', 'Files.ReadWrite.All'],
  )
})

t.test('a request asks for OpenID Connect, a refresh token and the permissions', async (t) => {
  t.equal(requestedScope(DEFAULT_SCOPES), 'openid profile offline_access Files.ReadWrite.All User.Read')
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
    t.strictSame(missingScopes(canonicalScopes(answer), DEFAULT_SCOPES), [])
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
  t.strictSame(missingScopes([], DEFAULT_SCOPES), ['User.Read', 'Files.ReadWrite.All'])
  t.strictSame(missingScopes(['files.readwrite.ALL'], DEFAULT_SCOPES), ['User.Read'])
  t.strictSame(
    missingScopes(['Files.Read.All', 'User.ReadBasic.All'], DEFAULT_SCOPES),
    ['User.Read', 'Files.ReadWrite.All'],
    'a similar name does not count',
  )
  t.strictSame(missingScopes(['User.Read'], ['User.Read', 'Mail.Read']), ['Mail.Read'])
})

const OWN_FILES = ['User.Read', 'Files.ReadWrite']

t.test('a wider permission covers a narrower one where Microsoft documents it, and never the other way', async (t) => {
  t.strictSame(missingScopes(['files.readwrite.all', 'User.Read'], OWN_FILES), [])
  t.strictSame(missingScopes(OWN_FILES, DEFAULT_SCOPES), ['Files.ReadWrite.All'])
  t.strictSame(missingScopes(['User.Read', 'Sites.ReadWrite.All'], DEFAULT_SCOPES), ['Files.ReadWrite.All'])
  t.strictSame(missingScopes(['User.Read', 'Sites.ReadWrite.All'], ['Sites.Selected']), ['Sites.Selected'])
})

t.test('what was granted and is not needed is named, also if it covers what is needed', async (t) => {
  t.strictSame(excessScopes(['Files.ReadWrite.All', 'User.Read'], DEFAULT_SCOPES), [])
  t.strictSame(excessScopes(['files.readwrite.ALL', 'user.read'], DEFAULT_SCOPES), [])
  t.strictSame(excessScopes(['Mail.Read', 'Files.ReadWrite.All', 'User.Read'], OWN_FILES), [
    'Files.ReadWrite.All',
    'Mail.Read',
  ])
  t.strictSame(excessScopes([], DEFAULT_SCOPES), [])
})

t.test('a refresh asks for what is needed, as far as it was granted', async (t) => {
  const cases: [name: string, granted: string[], needed: readonly string[], asked: string[]][] = [
    ['as configured', ['Files.ReadWrite.All', 'User.Read'], DEFAULT_SCOPES, ['Files.ReadWrite.All', 'User.Read']],
    ['one was added', ['User.Read', 'Files.ReadWrite.All'], [...DEFAULT_SCOPES, 'Sites.Selected'], [...DEFAULT_SCOPES]],
    ['narrowed, only the wide one granted', ['Files.ReadWrite.All', 'User.Read'], OWN_FILES, [...DEFAULT_SCOPES]],
    ['narrowed, both granted', [...OWN_FILES, 'Files.ReadWrite.All'], OWN_FILES, OWN_FILES],
    ['something else was granted too', ['Mail.Read', ...DEFAULT_SCOPES], DEFAULT_SCOPES, [...DEFAULT_SCOPES]],
    ['nothing of it was granted', ['Files.ReadWrite.All'], ['Sites.Selected'], ['Files.ReadWrite.All']],
  ]
  for (const [name, granted, needed, asked] of cases)
    t.strictSame(scopesToRefresh(granted, needed), asked.toSorted(), name)
})
