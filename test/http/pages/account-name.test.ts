import t from 'tap'
import { PERSONAL_TENANT } from '../../../src/core/integration.ts'
import { consentPage, maskUsername } from '../../../src/http/pages/account-name.ts'
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

t.test('in another cloud the links and the texts lead to that cloud, and personal accounts have none', async (t) => {
  const cloud = { adminCenterUrl: 'https://entra.microsoft.us', myAppsUrl: 'https://myapps.microsoft.us' }
  const work = { kind: 'work', url: 'https://myapps.microsoft.us' }
  t.strictSame(consentPage(undefined, cloud), [work])
  t.strictSame(consentPage(PERSONAL_TENANT, cloud), [work])
  const china = { adminCenterUrl: 'https://entra.microsoftonline.cn' }
  t.strictSame(consentPage(undefined, china), [], 'its page is not known')

  const context = contextOf('en')
  const page = (other: Site['cloud']) =>
    disconnectedPage({ ...context, ...(other === undefined ? {} : { cloud: other }) })
  t.match(page(undefined), '<a href="https://myapps.microsoft.com">myapps.microsoft.com (work or school account)</a>')
  t.match(page(cloud), '<a href="https://myapps.microsoft.us">myapps.microsoft.us (work or school account)</a>')
  t.match(page(china), 'administrator can withdraw the approval')
  for (const other of [cloud, china]) t.notMatch(page(other), /microsoft\.com|live\.com/)
  const admin = adminConsentPage({ ...context, cloud }, { startUrl: '/start' })
  t.match(admin, 'entra.microsoft.us')
  t.notMatch(admin, 'entra.microsoft.com')
})
