import { X509Certificate, generateKeyPairSync } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { BROKER_AUTHORITY } from '../../sandbox/broker.ts'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { signingKey } from '../../src/signature/keys.ts'
import { signRequest } from '../../src/signature/sign.ts'
import { startWorld } from '../support/world.ts'

const DAY_MS = 86_400_000

function certificate(notAfter: number) {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = toPem(
    selfSignedCertificate(keys, { commonName: BROKER_AUTHORITY, notBefore: Date.now() - DAY_MS, notAfter }),
  )
  return {
    pem,
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: new X509Certificate(pem).fingerprint256,
  }
}

t.test(
  'the internal listener uses a renewed certificate for new connections, and open requests on old connections are answered',
  async (t) => {
    const [first, second] = [certificate(Date.now() + 2 * DAY_MS), certificate(Date.now() + 90 * DAY_MS)]
    const folder = temporaryFolder('token-broker-test')
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
    const write = ({ pem, key }: { pem?: string; key?: string }) => {
      if (pem !== undefined) writeFileSync(certFile, pem)
      if (key !== undefined) writeFileSync(keyFile, key)
    }
    write(first)
    const world = await startWorld(t)
    await world.connect('42')
    const replica = await world.startReplica({
      INTERNAL_PLAIN_HTTP: 'no',
      INTERNAL_TLS_CERT_FILE: certFile,
      INTERNAL_TLS_KEY_FILE: keyFile,
    })
    const { port } = new URL(replica.internalUrl)
    const reload = () => replica.services.internalTls!.reload(replica.internal.server as never)
    const key = signingKey(
      world.secrets.megdocsKey.key_id,
      world.secrets.megdocsKey.algorithm,
      world.secrets.megdocsKey.secret!,
    )

    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: first.pem, servername: BROKER_AUTHORITY })
    t.teardown(() => agent.destroy())
    const get = (path: string) =>
      new Promise<{ status: number; fingerprint: string; reused: boolean }>((resolve, reject) => {
        const headers = signRequest({ method: 'GET', url: `https://${BROKER_AUTHORITY}${path}`, headers: {} }, key, {
          now: Date.now(),
        })
        const sent = request(
          { host: '127.0.0.1', port, path, agent, headers: { host: BROKER_AUTHORITY, ...headers } },
          (answer) => {
            const { fingerprint256 } = (answer.socket as TLSSocket).getPeerCertificate()
            answer
              .resume()
              .on('end', () =>
                resolve({ status: answer.statusCode!, fingerprint: fingerprint256, reused: sent.reusedSocket }),
              )
          },
        )
        sent.on('error', reject).end()
      })
    /** Fingerprint of the certificate that a new connection gets. */
    const presented = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false }, () => {
          resolve(socket.getPeerCertificate().fingerprint256)
          socket.destroy()
        })
        socket.on('error', reject)
      })
    t.same(await get('/tokens/42'), { status: 200, fingerprint: first.fingerprint, reused: false })

    await world.setRemaining('42', -1)
    world.entra.control.hold()
    const underWay = get('/tokens/42')
    await world.entra.control.held()

    write({ pem: second.pem })
    reload()
    reload()
    t.equal(await presented(), first.fingerprint, 'a half-finished renewal changes nothing')
    write({ key: second.key })
    reload()
    t.equal(await presented(), second.fingerprint)
    world.entra.control.release()
    t.same(await underWay, { status: 200, fingerprint: first.fingerprint, reused: true })
    t.match(await get('/tokens/42'), { status: 200, reused: true }, 'the old connection still works')

    rmSync(certFile)
    reload()
    reload()
    t.equal(await presented(), second.fingerprint, 'a missing file changes nothing')
    write(second)
    reload()
    reload()

    const said = replica
      .logged()
      .split('\n')
      .filter((line) => line.includes('certificate of the internal listener'))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    t.same(
      said.map(({ level, code }) => [level, code]),
      [
        ['error', 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'],
        ['info', undefined],
        ['error', 'ENOENT'],
        ['info', undefined],
      ],
      'each change is logged once',
    )
    const [, expiry] =
      /token_broker_certificate_expiry_timestamp_seconds\{use="internal"\} (\d+)/.exec(
        await replica.services.metrics.registry.metrics(),
      ) ?? []
    t.equal(Number(expiry), new X509Certificate(second.pem).validToDate.getTime() / 1000)
  },
)

t.test('plain HTTP at the TLS listener is not answered', async (t) => {
  const folder = temporaryFolder('token-broker-test')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { pem, key } = certificate(Date.now() + DAY_MS)
  const [certFile, keyFile] = [join(folder, 'tls.crt'), join(folder, 'tls.key')]
  writeFileSync(certFile, pem)
  writeFileSync(keyFile, key)
  const world = await startWorld(t)
  const replica = await world.startReplica({
    INTERNAL_PLAIN_HTTP: 'no',
    INTERNAL_TLS_CERT_FILE: certFile,
    INTERNAL_TLS_KEY_FILE: keyFile,
  })
  await t.rejects(fetch(replica.internalUrl.replace('https:', 'http:')))
})
