import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createBrowser } from '../../sandbox/browser.ts'

type Teardown = { teardown(end: () => unknown): unknown }
type Route = (incoming: IncomingMessage, outgoing: ServerResponse, body: string) => void

/** One server with two names, localhost and 127.0.0.1, which are two sites for a browser. */
async function sites(t: Teardown, routes: Record<string, Route>): Promise<{ ours: string; theirs: string }> {
  const server = createServer((incoming, outgoing) => {
    let body = ''
    incoming.on('data', (chunk: Buffer) => (body += String(chunk)))
    incoming.on('end', () => {
      const route = routes[(incoming.url ?? '').split('?')[0] ?? '']
      outgoing.setHeader('content-type', 'text/html')
      if (route) route(incoming, outgoing, body)
      else
        outgoing.end(`<title>seen</title>${incoming.method} ${incoming.url} [${incoming.headers.cookie ?? ''}] ${body}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { ours: `http://localhost:${port}`, theirs: `http://127.0.0.1:${port}` }
}

const COOKIES = ['strict=1; SameSite=Strict', 'lax=1; Path=/; SameSite=Lax', '__Host-x=1; Secure; Path=/']
const setCookies: Route = (_, outgoing) => outgoing.setHeader('set-cookie', COOKIES).end()
const redirect =
  (status: number, to: () => string): Route =>
  (_, outgoing) =>
    outgoing.writeHead(status, { location: to() }).end()

t.test('cookies are sent to their own host and path only', async (t) => {
  const { ours, theirs } = await sites(t, {
    '/set': setCookies,
    '/deep/set': (_, outgoing) => outgoing.setHeader('set-cookie', 'deep=1').end(),
  })
  const browser = createBrowser()
  await browser.open(`${ours}/set`)
  await browser.open(`${ours}/deep/set`)
  t.match((await browser.open(`${ours}/`)).text, '[strict=1; lax=1; __Host-x=1]')
  t.match((await browser.open(`${ours}/deep/er`)).text, '[deep=1; strict=1; lax=1; __Host-x=1]')
  t.match((await browser.open(`${theirs}/`)).text, '[]')
})

t.test('cookies that browsers refuse are not kept', async (t) => {
  const bad = [
    '__Host-a=1; Path=/',
    '__Host-b=1; Secure; Path=/x',
    '__Host-c=1; Secure; Path=/; Domain=localhost',
    '__Secure-d=1',
    'e=1; SameSite=None',
    'f=1; Max-Age=0',
    'g=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    '=h',
    'i',
  ]
  const { ours } = await sites(t, { '/set': (_, outgoing) => outgoing.setHeader('set-cookie', bad).end() })
  const browser = createBrowser()
  await browser.open(`${ours}/set`)
  t.match((await browser.open(`${ours}/`)).text, '[]')
})

t.test('a cookie is identified by name, host and path when it is replaced or deleted', async (t) => {
  let cookie = 'a=1; Path=/'
  const { ours } = await sites(t, { '/set': (_, outgoing) => outgoing.setHeader('set-cookie', cookie).end() })
  const browser = createBrowser()
  await browser.open(`${ours}/set`)
  cookie = 'a=2; Path=/'
  await browser.open(`${ours}/set`)
  t.match((await browser.open(`${ours}/`)).text, '[a=2]')
  cookie = 'a=; Path=/; Max-Age=0'
  await browser.open(`${ours}/set`)
  t.match((await browser.open(`${ours}/`)).text, '[]')
})

t.test(
  'after a navigation from another site, Strict cookies are not sent until a page of our site redirects the browser',
  async (t) => {
    const { ours, theirs } = await sites(t, {
      '/set': setCookies,
      '/link': (_, outgoing) =>
        outgoing.end(`<a href="${ours}/">to ours</a><form method="post" action="${ours}/"><button>post</button></form>
        <form method="post" action="/bounce"><button>bounce</button></form>`),
      '/bounce': redirect(302, () => `${ours}/hop`),
      '/hop': redirect(303, () => '/'),
      '/interstitial': (_, outgoing) => outgoing.end('<meta http-equiv="refresh" content="0; url=/?a=1&amp;b=2">'),
      '/to-interstitial': redirect(302, () => `${ours}/interstitial`),
    })
    const browser = createBrowser()
    await browser.open(`${ours}/set`)
    const foreign = await browser.open(`${theirs}/link`)
    t.match((await browser.click(foreign, 'to ours')).text, '[lax=1; __Host-x=1]', 'a link')
    t.match((await browser.press(foreign, 'post')).text, '[]', 'a form of another site: no Lax cookie either')
    t.match(
      (await browser.press(foreign, 'bounce')).text,
      'GET / [lax=1; __Host-x=1]',
      'a redirect of the other site, and then one of our site',
    )
    t.match(
      (await browser.open(`${theirs}/to-interstitial`)).text,
      'GET /?a=1&b=2 [strict=1; lax=1; __Host-x=1]',
      'a page of our site in between',
    )
  },
)

t.test('a form is sent with its fields, the pressed button and the typed text, as browsers do', async (t) => {
  const { ours } = await sites(t, {
    '/form': (_, outgoing) =>
      outgoing.end(`<form method="post" action="/first"><button>No</button></form>
      <form method="POST" action="/to?x=1"><input type=hidden name=csrf value="a&amp;b">
      <input name="typed" value="old"><input type="checkbox" name="off">
      <input type="checkbox" name="on" checked><textarea name="text">\nline 1\nline &lt;2&gt;</textarea>
      <button name="decision" value="no">No, <b>cancel</b></button>
      <button id="yes" name="decision" value="yes">Yes</button></form>
      <form action="/search"><input name="q" value="1"><button>Find</button></form>`),
  })
  const browser = createBrowser()
  const page = await browser.open(`${ours}/form`)
  const sent = await browser.press(page, 'yes', { typed: 'ü' })
  t.match(
    sent.text,
    `POST /to?x=1 [] ${new URLSearchParams({ csrf: 'a&b', typed: 'ü', on: 'on', text: 'line 1\nline <2>', decision: 'yes' })}`,
  )
  t.match((await browser.press(page, 'No, cancel')).text, /decision=no/)
  t.match((await browser.press(page, 'Find')).text, 'GET /search?q=1')
  await t.rejects(browser.press(page, 'Maybe'), /no button "Maybe".*Yes/)
  await t.rejects(browser.click(page, 'Maybe'), /no link "Maybe"/)
})

t.test('the browser can stop before an address and block cookies, and it detects redirect loops', async (t) => {
  const { ours } = await sites(t, {
    '/set': setCookies,
    '/go': redirect(302, () => '/there?secret=1'),
    '/round': redirect(302, () => '/round'),
  })
  const stopped = await createBrowser({ stopBefore: (url) => url.includes('/there') }).open(`${ours}/go`)
  t.equal(stopped.refresh, `${ours}/there?secret=1`)
  const blocking = createBrowser({ blockCookies: true })
  await blocking.open(`${ours}/set`)
  t.match((await blocking.open(`${ours}/`)).text, '[]')
  await t.rejects(createBrowser().open(`${ours}/round`), /more than 20 hops/)
})
