import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'

// A wire between a broker and Postgres that tests can cut or make silent, and that says which statements went over it.

export interface Wire {
  /** The URL it was opened for, led through the wire. */
  url: string
  /** SQL of what was executed since the last call, in order; `BEGIN` and the like included. */
  statements(): string[]
  /** Connections so far. */
  opened(): number
  /** Breaks every connection; new ones are refused. */
  cut(): void
  /** Connections stay and new ones are accepted, but nothing passes: a server that hangs. */
  swallow(): void
  /** Works again; what was swallowed is lost with its connection. */
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

/** Reads the frontend's half of the protocol (PostgreSQL documentation, 54.7 Message Formats). */
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
