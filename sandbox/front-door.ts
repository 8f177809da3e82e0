/**
 * Simulates the ingress: one origin for MEGDocs and the broker's public paths. It replaces the forwarding headers of
 * clients by its own, keeps the Host header, and streams in both directions. It depends neither on sessions nor on
 * pages.
 */
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream'

export interface FrontDoorOptions {
  /** Called for each request, so that the broker can be replaced while the front door is open. */
  broker(): string
  megdocs(): string
  /** Default: a free port. Rejects with EADDRINUSE if the port is in use. */
  port?: number
  /** Value of X-Forwarded-Proto. `https`: as if TLS ended here. Default: http. */
  proto?: 'http' | 'https'
  /** Value of X-Forwarded-Host. Default: the Host header. */
  host?: string
}

export interface FrontDoor {
  url: string
  port: number
  close(): Promise<void>
}

const BROKER_PATHS = ['/auth/oauth2/microsoft/', '/accounts/account/microsoft/']
/** The paths belong to the broker also without the trailing slash. */
const isOfBroker = (path: string): boolean => BROKER_PATHS.some((prefix) => `${path.split('?')[0]}/`.startsWith(prefix))

/** Hop-by-hop headers (RFC 9110 section 7.6.1), and forwarding headers, which a client must not set. */
const DROPPED_HEADERS =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|forwarded|x-forwarded-.*|x-real-ip)$/

/** More than the broker takes, so that its page is seen and not the empty answer of a proxy. */
const MAX_HEADER_BYTES = 131_072

/** Opens the door on 127.0.0.1. */
export async function openFrontDoor(options: FrontDoorOptions): Promise<FrontDoor> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (incoming, outgoing) =>
    forward(incoming, outgoing, options, agent),
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
        agent.destroy()
      }),
  }
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, options: FrontDoorOptions, agent: Agent): void {
  const path = incoming.url ?? '/'
  const toBroker = isOfBroker(path)
  const target = new URL(toBroker ? options.broker() : options.megdocs())
  const headers = {
    ...forwarded(incoming.headers),
    'x-forwarded-for': incoming.socket.remoteAddress ?? '',
    'x-forwarded-proto': options.proto ?? 'http',
    'x-forwarded-host': options.host ?? incoming.headers.host ?? '',
  }
  const upstream = request(
    { agent, host: target.hostname, port: target.port, method: incoming.method, path, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, forwarded(answer.headers))
      pipeline(answer, outgoing, () => {})
    },
  )
  upstream.on('error', () => {
    if (outgoing.headersSent) return void outgoing.destroy()
    outgoing.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' })
    outgoing.end(`Sandbox front door: ${toBroker ? 'the token broker' : 'MEGDocs'} does not answer.\n`)
  })
  outgoing.on('close', () => upstream.destroy())
  incoming.pipe(upstream)
}

function forwarded(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !DROPPED_HEADERS.test(name)))
}
