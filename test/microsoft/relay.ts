// A TLS server that offers HTTP/2 as well, and a relay or a proxy before it whose connections can fail as real ones do.
import { generateKeyPairSync } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setDefaultCACertificates } from 'node:tls'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'

type Test = { teardown(end: () => unknown): unknown }
type Answer = (request: Http2ServerRequest, response: Http2ServerResponse) => void

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const cert = toPem(
  selfSignedCertificate(keys, {
    commonName: 'localhost',
    notBefore: Date.now() - 86_400_000,
    notAfter: Date.now() + 86_400_000,
  }),
)
// This process trusts it, as a machine trusts the authorities of its own.
setDefaultCACertificates([cert])

/** Its port. The body of a request is read before it is answered. */
export async function listenTls(t: Test, answer: Answer): Promise<number> {
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
    request.resume().on('end', () => answer(request, response))
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  return listening(t, server, sockets)
}

export interface Relay {
  port: number
  connections(): number
  /** From now on nothing passes on the connections that are there; they stay open. */
  silence(): void
  /** The connections that are there are reset at the next byte that a client sends. */
  resetAtNextByte(): void
  /** Called for each byte or more that silence swallowed. */
  onSwallowed: () => void
}

type Mode = 'open' | 'silent' | 'reset'

function relaying() {
  const modes = new Map<Socket, Mode>()
  const relay = {
    connections: () => modes.size,
    silence: () => modes.forEach((_, socket) => modes.set(socket, 'silent')),
    resetAtNextByte: () => modes.forEach((_, socket) => modes.set(socket, 'reset')),
    onSwallowed: () => {},
  }
  /** Joins the two; a connection that ended stays counted. */
  const join = (near: Socket, far: Socket): void => {
    modes.set(near, 'open')
    near.on('data', (data) => {
      const mode = modes.get(near)
      if (mode === 'open') far.write(data)
      else if (mode === 'silent') relay.onSwallowed()
      else near.resetAndDestroy()
    })
    far.on('data', (data) => modes.get(near) === 'open' && near.write(data))
    near.on('error', () => far.destroy()).on('close', () => far.destroy())
    far.on('error', () => near.destroy()).on('close', () => modes.get(near) === 'open' && near.destroy())
  }
  return { relay, join }
}

/** Passes TCP on to that port. */
export async function relayTo(t: Test, farPort: number): Promise<Relay> {
  const { relay, join } = relaying()
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    sockets.add(near)
    join(near, connect(farPort, '127.0.0.1'))
  })
  return Object.assign(relay, { port: await listening(t, server, sockets) })
}

/** An HTTP proxy whose tunnels fail like a relay's connections. */
export async function proxyTo(t: Test): Promise<Relay> {
  const { relay, join } = relaying()
  const sockets = new Set<Socket>()
  const server = createHttpServer()
  server.on('connect', ({ url = '' }, near: Socket) => {
    sockets.add(near)
    const far = connect(Number(url.split(':')[1]), '127.0.0.1', () => {
      near.write('HTTP/1.1 200 OK\r\n\r\n')
      join(near, far)
    })
  })
  return Object.assign(relay, { port: await listening(t, server, sockets) })
}

async function listening(
  t: Test,
  server: Pick<Server, 'listen' | 'close' | 'address'>,
  sockets: Set<Socket>,
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy())
    server.close()
  })
  return (server.address() as AddressInfo).port
}
