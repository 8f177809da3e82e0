/**
 * The way to Microsoft, for tests and drills: a relay whose connections fail as real ones do. It passes bytes on, or is
 * an HTTP proxy with CONNECT, or ends TLS as an inspecting gateway does. It knows nothing of the broker.
 */
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, TLSSocket } from 'node:tls'
import type { ServerCertificate } from './entra/certificate.ts'

export type Fault =
  /** Nothing passes; the connection stays open. */
  | { kind: 'silent' }
  /** Reset at the next byte that a client sends. */
  | { kind: 'reset' }
  /** The answers pass in pieces of so many bytes, one each `everyMs`. */
  | { kind: 'slow'; bytes: number; everyMs: number }
  /** Closed after so many bytes of the next answer. */
  | { kind: 'cut'; afterBytes: number }
  /** A page of the relay's own in place of the answer; a proxy gives it to CONNECT. Closes the connection. */
  | { kind: 'page'; status: number; body: string; headers?: Record<string, string> }

export interface Relay {
  port: number
  /** All connections so far; of a proxy: tunnels. */
  connections(): number
  /** From now on connections have this fault: those that are there, those that will come, or all. */
  fail(fault: Fault, which: 'kept' | 'new' | 'all'): void
  /** Closes the connections that are there, as a device does that forgets idle ones. */
  dropIdle(): void
  /** Nothing fails any more. What went silent and was swallowed is lost. */
  heal(): void
  /** Called for each piece that was swallowed or delayed. */
  onFault: () => void
  close(): Promise<void>
}

export interface RelayOptions {
  /** Port on this machine, called for each connection. Not for a proxy, which is told by its client. */
  to?: () => number
  /** An HTTP proxy with CONNECT in place of a relay. */
  proxy?: boolean
  /** Ends TLS with this certificate and begins it again, so that pages, cuts and slowness are of the HTTP inside. */
  inspect?: ServerCertificate
  /** Default: a free port. */
  port?: number
}

export async function openRelay({ to, proxy = false, inspect, port = 0 }: RelayOptions): Promise<Relay> {
  const open = new Map<Socket, Fault | undefined>()
  const sockets = new Set<Socket>()
  let connections = 0
  let faultOfNew: Fault | undefined

  function join(near: Socket, far: Socket): void {
    connections++
    open.set(near, faultOfNew)
    let answered = 0
    let written = Promise.resolve()
    near.on('data', (data: Buffer) => {
      const fault = open.get(near)
      if (fault?.kind === 'silent') return relay.onFault()
      if (fault?.kind === 'reset') return near instanceof TLSSocket ? void near.destroy() : void near.resetAndDestroy()
      if (fault?.kind === 'page') return near.writable ? void near.end(pageText(fault)) : undefined
      far.write(data)
    })
    far.on('data', (data: Buffer) => {
      const fault = open.get(near)
      if (fault?.kind === 'slow') return void (written = written.then(() => dribble(near, data, fault)))
      if (fault?.kind === 'cut') {
        near.write(data.subarray(0, Math.max(0, fault.afterBytes - answered)))
        answered += data.length
        if (answered >= fault.afterBytes) near.destroySoon()
        // An answer that was under way when the fault began still passes.
      } else if (fault?.kind !== 'silent' && near.writable) near.write(data)
    })
    const end = (): void => {
      open.delete(near)
      near.destroy()
      far.destroy()
    }
    near.on('error', end).on('close', end)
    // A silent connection stays open for the near side, whatever becomes of the far one.
    const farEnded = (): void => void (open.get(near)?.kind === 'silent' ? undefined : near.destroySoon())
    far.on('error', farEnded).on('close', farEnded)
  }

  async function dribble(near: Socket, data: Buffer, { bytes, everyMs }: Fault & { kind: 'slow' }): Promise<void> {
    for (let at = 0; at < data.length && !near.destroyed; at += bytes) {
      near.write(data.subarray(at, at + bytes))
      relay.onFault()
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }

  const farSide = (): Socket => {
    const at = { host: '127.0.0.1', port: to?.() ?? 0 }
    return inspect
      ? connectTls({ ...at, servername: 'localhost', ca: inspect.cert, ALPNProtocols: ['http/1.1'] })
      : connect(at)
  }
  const pass = (near: Socket): void => join(near, farSide())
  const server: Server = proxy ? createHttpServer() : inspect ? createTlsServer(inspect, pass) : createServer(pass)
  server.on('connection', (socket: Socket) => sockets.add(socket.once('close', () => sockets.delete(socket))))
  // A client that gives up in the middle of a handshake is no error of the relay.
  server.on('tlsClientError', () => {})
  server.on('connect', ({ url = '' }: { url?: string }, near: Socket) => {
    near.on('error', () => near.destroy())
    if (faultOfNew?.kind === 'page') {
      connections++
      return void near.end(pageText(faultOfNew))
    }
    const { hostname, port: farPort } = new URL(`http://${url}`)
    const far = connect(Number(farPort), hostname === 'localhost' ? '127.0.0.1' : hostname, () => {
      near.write('HTTP/1.1 200 OK\r\n\r\n')
      join(near, far)
    })
    far.on('error', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))

  const relay: Relay = {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    fail(fault, which) {
      if (which !== 'new') for (const near of open.keys()) open.set(near, fault)
      if (which !== 'kept') faultOfNew = fault
    },
    dropIdle: () => [...open.keys()].forEach((near) => near.destroySoon()),
    heal() {
      faultOfNew = undefined
      for (const near of open.keys()) open.set(near, undefined)
    },
    onFault: () => {},
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return relay
}

function pageText({ status, body, headers = {} }: Fault & { kind: 'page' }): string {
  const all = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} Relay\r\n${lines.join('')}\r\n${body}`
}
