import type { Server, Socket } from 'node:net'
import { addressKey } from './addresses.ts'
import type { Listener, Strangers } from './strangers.ts'

/** Open connections of a listener. One address that is no proxy of ours may have half of them. */
export const MAX_CONNECTIONS = { public: 2_000, internal: 2_000, operations: 400 } as const satisfies Record<
  Listener,
  number
>

/**
 * Closes new connections beyond the limits without an answer. When a listener is full, connections that wait for their
 * next request are closed to make room.
 */
export function limitConnections(
  server: Server & { closeIdleConnections?(): void },
  options: { max: number; isProxy(address: string): boolean; strangers: Strangers },
): void {
  const { max, isProxy, strangers } = options
  /** By address; an entry lives as long as one of its connections. */
  const open = new Map<string, number>()
  server.maxConnections = max
  server.on('drop', () => {
    strangers.count('connection_refused')
    server.closeIdleConnections?.()
  })
  // Not `secureConnection`: a TLS handshake costs as much as many requests.
  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket
    if (remoteAddress === undefined || isProxy(remoteAddress)) return
    const key = addressKey(remoteAddress)
    const already = open.get(key) ?? 0
    if (already >= max / 2) {
      strangers.count('connection_refused')
      socket.destroy()
      return
    }
    open.set(key, already + 1)
    socket.once('close', () => {
      const left = (open.get(key) ?? 1) - 1
      if (left === 0) open.delete(key)
      else open.set(key, left)
    })
  })
}
