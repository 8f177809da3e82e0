import t from 'tap'
import { CLOUDS, cloudOf, isOnLoginHost, issuerOrigin } from '../../src/microsoft/clouds.ts'
import { createMetadataSource } from '../../src/microsoft/metadata.ts'
import { CLIENT_ID, jwk, manualClock, TENANT } from './support.ts'
import { discovery, setUp } from './world.ts'

// Everything of a cloud follows from MICROSOFT_LOGIN_URL alone (docs/microsoft.md#clouds).

t.test('each login host leads to its row, and any other host to the global one', async (t) => {
  const rows: [login: string, name: string, graph: string, issuer: string][] = [
    ['https://login.microsoftonline.com', 'global', 'https://graph.microsoft.com', 'https://login.microsoftonline.com'],
    ['https://login.windows.net', 'global', 'https://graph.microsoft.com', 'https://login.microsoftonline.com'],
    [
      'https://login.microsoftonline.us',
      'US Government',
      'https://graph.microsoft.us',
      'https://login.microsoftonline.us',
    ],
    [
      'https://login.chinacloudapi.cn',
      'China, operated by 21Vianet',
      'https://microsoftgraph.chinacloudapi.cn',
      'https://login.partner.microsoftonline.cn',
    ],
    ['http://127.0.0.1:9400', 'global', 'https://graph.microsoft.com', 'http://127.0.0.1:9400'],
  ]
  for (const [loginUrl, name, graphUrl, issuer] of rows) {
    t.match(cloudOf(loginUrl), { name, graphUrl })
    t.equal(issuerOrigin(loginUrl), issuer)
  }
  t.equal(new Set(CLOUDS.flatMap(({ loginHosts }) => loginHosts)).size, CLOUDS.flatMap((c) => c.loginHosts).length)
})

t.test('metadata may name the other names of the configured host, and no host of another cloud', async (t) => {
  const china = 'https://login.chinacloudapi.cn'
  t.ok(isOnLoginHost('https://login.partner.microsoftonline.cn/common/v2.0', china))
  t.ok(isOnLoginHost(`${china}/common`, china))
  for (const url of [
    'https://login.microsoftonline.com/common',
    'http://login.partner.microsoftonline.cn/common',
    'https://login.partner.microsoftonline.cn.evil.example/',
    'not a url',
  ])
    t.notOk(isOnLoginHost(url, china), url)
  t.notOk(isOnLoginHost('https://login.microsoftonline.com/x', 'http://127.0.0.1:1'), 'a simulator is no cloud')
})

t.test('US government by its login URL alone: sign-in, tokens, issuer and consent', async (t) => {
  const { microsoft } = await setUp(t, { loginUrl: 'https://login.microsoftonline.us' })
  t.strictSame(microsoft.endpoints, {
    authorize: 'https://login.microsoftonline.us/organizations/oauth2/v2.0/authorize',
    token: 'https://login.microsoftonline.us/organizations/oauth2/v2.0/token',
  })
  const consent = new URL(microsoft.adminConsentUrl({ state: 's', tenantId: TENANT }))
  t.equal(consent.origin + consent.pathname, `https://login.microsoftonline.us/${TENANT}/v2.0/adminconsent`)
  t.match(Object.fromEntries(consent.searchParams), {
    client_id: CLIENT_ID,
    scope: 'https://graph.microsoft.us/User.Read https://graph.microsoft.us/Files.ReadWrite.All',
  })
  t.ok(microsoft.isOtherCloud('login.microsoftonline.com'))
  t.ok(microsoft.isOtherCloud('LOGIN.partner.microsoftonline.cn'))
  t.notOk(microsoft.isOtherCloud('login.microsoftonline.us'))
  t.notOk(microsoft.isOtherCloud('login.example.com'), 'a host that is none of Microsoft says nothing')
})

t.test('metadata of another name of the login host is used; metadata of another cloud is not', async (t) => {
  const source = (loginUrl: string, named: string) =>
    createMetadataSource({
      loginUrl,
      tenant: 'common',
      clock: manualClock(),
      fetchOne: (url) => {
        const body = url.endsWith('/keys')
          ? { keys: [jwk()] }
          : { ...discovery(named), msgraph_host: 'microsoftgraph.chinacloudapi.cn' }
        return Promise.resolve({ answer: { status: 200, headers: {}, body: JSON.stringify(body) } })
      },
    })
  const china = source('https://login.chinacloudapi.cn', 'https://login.partner.microsoftonline.cn')
  t.match(await china.get(), {
    issuer: 'https://login.partner.microsoftonline.cn/{tenantid}/v2.0',
    graphHost: 'microsoftgraph.chinacloudapi.cn',
  })
  t.equal(await source('https://login.microsoftonline.us', 'https://login.microsoftonline.com').get(), undefined)
})
