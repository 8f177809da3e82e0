/**
 * Stands for the ingress: one origin for MEGDocs and the broker's public paths. It strips what a client says about forwarding and
 * says it itself, keeps the Host header, streams both ways, and knows neither sessions nor pages.
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
  /** Asked for each request, so that a broker may be replaced while the door is open. */
  broker(): string
  megdocs(): string
  /** Default: a free one. Rejects with EADDRINUSE when it is taken. */
  port?: number
  /** What X-Forwarded-Proto says. `https`: as if TLS had ended here. Default http. */
  proto?: 'http' | 'https'
  /** What X-Forwarded-Host says; default: the Host header. */
  host?: string
}

export interface FrontDoor {
  url: string
  port: number
  close(): Promise<void>
}

const BROKER_PATHS = ['/auth/oauth2/microsoft/', '/accounts/account/microsoft/']
/** Without their trailing slash they are the broker's too. */
const isBrokers = (path: string): boolean => BROKER_PATHS.some((prefix) => `${path.split('?')[0]}/`.startsWith(prefix))

/** RFC 9110 7.6.1, and what a client must not say. */
const NOT_PASSED_ON =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|forwarded|x-forwarded-.*|x-real-ip)$/

/** Bytes: a callback with Microsoft's code is 2.5 kB, and cookies come on top (security.md 5.4). */
const MAX_HEADER_SIZE = 32_768

/** Opens the door on 127.0.0.1. */
export async function openFrontDoor(options: FrontDoorOptions): Promise<FrontDoor> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer({ maxHeaderSize: MAX_HEADER_SIZE }, (incoming, outgoing) =>
    pass(incoming, outgoing, options, agent),
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

function pass(incoming: IncomingMessage, outgoing: ServerResponse, options: FrontDoorOptions, agent: Agent): void {
  const path = incoming.url ?? '/'
  const toBroker = isBrokers(path)
  const target = new URL(toBroker ? options.broker() : options.megdocs())
  const headers = {
    ...passedOn(incoming.headers),
    'x-forwarded-for': incoming.socket.remoteAddress ?? '',
    'x-forwarded-proto': options.proto ?? 'http',
    'x-forwarded-host': options.host ?? incoming.headers.host ?? '',
  }
  const upstream = request(
    { agent, host: target.hostname, port: target.port, method: incoming.method, path, headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, passedOn(answer.headers))
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

function passedOn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_PASSED_ON.test(name)))
}
