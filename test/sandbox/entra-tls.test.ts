import { connect } from 'node:http2'
import { rootCertificates, setDefaultCACertificates } from 'node:tls'
import t from 'tap'
import { localhostCertificate } from '../../sandbox/entra/certificate.ts'
import { bench, jane } from './entra-support.ts'

// The simulator over TLS: as a client sees Microsoft, with HTTP/2 on offer.

const tls = localhostCertificate()

t.test('over TLS the whole flow works with HTTP/1.1, and the metadata names https addresses', async (t) => {
  setDefaultCACertificates([...rootCertificates, tls.cert])
  const b = await bench(t.teardown, { tls, host: 'localhost' })
  t.match(b.entra.url, /^https:\/\/localhost:\d+$/)
  const { refresh_token: token } = await b.connect(jane)
  t.equal((await b.refresh(token)).status, 200)
  const metadata = await (await fetch(`${b.entra.url}/organizations/v2.0/.well-known/openid-configuration`)).json()
  t.match(metadata, { token_endpoint: `${b.entra.url}/organizations/oauth2/v2.0/token` })
  t.strictSame(
    b.entra.control.tokenRequests().recent.map(({ httpVersion }) => httpVersion),
    ['1.1', '1.1'],
  )
})

t.test('HTTP/2 is taken where a client offers it, and counted as such', async (t) => {
  const b = await bench(t.teardown, { tls })
  const session = connect(b.entra.url, { ca: tls.cert })
  t.teardown(() => session.destroy())
  const stream = session.request({
    ':method': 'POST',
    ':path': '/organizations/oauth2/v2.0/token',
    'content-type': 'application/x-www-form-urlencoded',
  })
  let body = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
  stream.end('grant_type=refresh_token')
  await new Promise((resolve) => stream.once('end', resolve))
  t.match(JSON.parse(body), { error_codes: [900144] })
  t.match(b.entra.control.tokenRequests().recent, [{ httpVersion: '2.0' }])
})

t.test('behind a relay it names the address that clients know, and says its own port', async (t) => {
  const b = await bench(t.teardown, { publicUrl: 'https://localhost:9' })
  t.equal(b.entra.url, 'https://localhost:9')
  const own = `http://127.0.0.1:${b.entra.port}/organizations/v2.0/.well-known/openid-configuration`
  t.match(await (await fetch(own)).json(), { issuer: 'https://localhost:9/{tenantid}/v2.0' })
})
