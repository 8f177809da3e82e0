import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/**
 * What a pooler in transaction mode does with start-up parameters that it does not know: PgBouncer refuses them, or
 * drops those that `ignore_startup_parameters` names. Everything else passes.
 */
export async function openPoolerStandIn(
  t: { teardown(end: () => unknown): unknown },
  databaseUrl: string,
  unknownParameters: 'refused' | 'dropped',
): Promise<string> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    sockets.add(client.on('error', () => {}))
    client.once('data', (startup) => {
      // 54.7 of the PostgreSQL documentation: length, version, then names and values.
      const words = startup.subarray(8).toString('latin1').split('\0').slice(0, -2)
      const pairs = words.flatMap((name, i) => (i % 2 === 0 ? [[name, words[i + 1]!]] : []))
      const known = pairs.filter(([name]) => name !== 'lock_timeout')
      if (known.length < pairs.length && unknownParameters === 'refused')
        return void client.end(fatal('08P01', 'unsupported startup parameter: lock_timeout'))
      const text = Buffer.from(`${known.flat().join('\0')}\0\0`, 'latin1')
      const head = Buffer.alloc(8)
      head.writeInt32BE(text.length + 8)
      startup.copy(head, 4, 4, 8)
      const upstream = connect(Number(target.port), target.hostname)
      upstream.on('error', () => client.destroy()).write(Buffer.concat([head, text]))
      client.pipe(upstream).pipe(client)
      return undefined
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return Object.assign(new URL(databaseUrl), { port: String((server.address() as AddressInfo).port) }).href
}

function fatal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.from('E\0\0\0\0')
  head.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([head, fields])
}
