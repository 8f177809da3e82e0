import t from 'tap'
import { consentPage, fullAccount, maskedAccount, maskUsername } from '../../../src/http/pages/account-name.ts'
import { adminConsentPage, disconnectedPage, type Site } from '../../../src/http/pages/pages.ts'
import { contextOf } from './samples.ts'

t.test('a masked name keeps its first character and its domain', async (t) => {
  const cases = [
    ['jane@contoso.com', 'j•••@contoso.com'],
    ['j@contoso.com', 'j•••@contoso.com'],
    ['"a@b"@contoso.com', '"•••@contoso.com'],
    ['jane_contoso.com#EXT#@x.onmicrosoft.com', 'j•••@x.onmicrosoft.com'],
    ['jane', 'j•••'],
    ['@contoso.com', 'c•••'],
    ['', '•••'],
    ['😀mile@x.example', '😀•••@x.example'],
  ] as const
  for (const [name, masked] of cases) t.equal(maskUsername(name), masked)
})

t.test('a name cannot turn the text around it, and an address reads from left to right', async (t) => {
  const account = {
    tenantId: 't',
    objectId: 'o',
    username: '\u202Ejane\u2066@b.example\u2069',
    displayName: 'Jane\u202E \u2066a\u2069 otnoc@b \u05D0\u202A\u202B\u202C\u202D\u2067\u2068',
  }
  t.equal(
    fullAccount(account).toString(),
    '<bdi class="account">Jane a otnoc@b \u05D0</bdi> <bdi class="quiet" dir="ltr">jane@b.example</bdi>',
  )
  t.equal(maskedAccount(account)?.toString(), '<bdi class="account" dir="ltr">j•••@b.example</bdi>')
})

t.test('in another cloud the links and the texts lead to that cloud, and personal accounts have none', async (t) => {
  const cloud = { adminCenterUrl: 'https://entra.microsoft.us', myAppsUrl: 'https://myapps.microsoft.us' }
  const work = { kind: 'work', url: 'https://myapps.microsoft.us' }
  t.strictSame(consentPage('unknown', cloud), [work])
  t.strictSame(consentPage('personal', cloud), [work])
  const china = { adminCenterUrl: 'https://entra.microsoftonline.cn' }
  t.strictSame(consentPage('unknown', china), [], 'its page is not known')

  const context = contextOf('en')
  const page = (other: Site['cloud']) =>
    disconnectedPage({ ...context, ...(other === undefined ? {} : { cloud: other }) }, { kind: 'unknown' })
  t.match(page(undefined), '<a href="https://myapps.microsoft.com">myapps.microsoft.com (work or school account)</a>')
  t.match(page(cloud), '<a href="https://myapps.microsoft.us">myapps.microsoft.us (work or school account)</a>')
  t.match(page(china), 'administrators of your organisation can withdraw the approval')
  for (const other of [cloud, china]) t.notMatch(page(other), /microsoft\.com|live\.com/)
  const admin = adminConsentPage({ ...context, cloud }, { startUrl: '/start' })
  t.match(admin, 'entra.microsoft.us')
  t.notMatch(admin, 'entra.microsoft.com')
})
