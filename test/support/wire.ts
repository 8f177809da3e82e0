import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'

// A proxy between a broker and Postgres. Tests can cut or block it, and read the statements that passed.

export interface Wire {
  /** The URL of the database through this proxy. */
  url: string
  /** The SQL that was executed since the last call, in order, including `BEGIN` and `COMMIT`. */
  statements(): string[]
  /** Number of connections so far. */
  opened(): number
  /** Breaks all connections and refuses new ones. */
  cut(): void
  /** Keeps connections and accepts new ones, but passes no data, like a server that hangs. */
  swallow(): void
  /** Passes data again. Data that was blocked is lost together with its connection. */
  mend(): void
  close(): Promise<void>
}

type Mode = 'passing' | 'cut' | 'silent'

export async function openWire(databaseUrl: string): Promise<Wire> {
  const target = new URL(databaseUrl)
  const ends = new Set<Socket>()
  const seen: string[] = []
  let mode: Mode = 'passing'
  let opened = 0

  const server = createServer((client) => {
    opened += 1
    ends.add(client)
    client.on('error', () => {}).once('close', () => ends.delete(client))
    if (mode === 'cut') return client.destroy()
    if (mode === 'silent') return client.resume()
    const upstream = createConnection(Number(target.port), target.hostname)
    upstream.on('error', () => {}).once('close', () => client.destroy())
    client.once('close', () => upstream.destroy())
    const read = statementReader((sql) => seen.push(sql))
    client.on('data', (bytes) => {
      if (mode !== 'passing') return
      read(bytes)
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => void (mode === 'passing' && client.write(bytes)))
    return undefined
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const breakAll = () => ends.forEach((end) => end.destroy())

  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(port) }).href,
    statements: () => seen.splice(0),
    opened: () => opened,
    cut() {
      mode = 'cut'
      breakAll()
    },
    swallow() {
      mode = 'silent'
    },
    mend() {
      if (mode === 'silent') breakAll()
      mode = 'passing'
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        breakAll()
      }),
  }
}

/** Parses the messages of the client (PostgreSQL documentation, 54.7 Message Formats). */
function statementReader(executed: (sql: string) => void): (bytes: Buffer) => void {
  let rest = Buffer.alloc(0)
  let started = false
  const prepared = new Map<string, string>()
  let bound = ''
  const texts = (body: Buffer) => body.toString('utf8').split('\0')

  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const head = started ? 1 : 0
      if (rest.length < head + 4) return
      const length = head + rest.readInt32BE(head)
      if (rest.length < length) return
      const type = started ? String.fromCharCode(rest[0]!) : 'startup'
      const body = rest.subarray(head + 4, length)
      rest = rest.subarray(length)
      started = true
      if (type === 'Q') executed(texts(body)[0]!)
      if (type === 'P') prepared.set(texts(body)[0]!, texts(body)[1]!)
      if (type === 'B') bound = prepared.get(texts(body)[1]!) ?? ''
      if (type === 'E') executed(bound)
    }
  }
}
