// The load generator, a separate process. It signs its requests before a round begins. Then it sends one request at a
// time on each connection, as raw bytes over sockets, so that its own work adds as little as possible to the
// measurement.
import { connect, type Socket } from 'node:net'
import type { CallerHalf } from '../src/signature/keygen.ts'
import { signingKey } from '../src/signature/keys.ts'
import { signRequest } from '../src/signature/sign.ts'

export interface Round {
  port: number
  connections: number
  milliseconds: number
  /** Number of prepared requests. The round ends early when all are sent. */
  requests: number
  /** Users are `${prefix}${from}` to `${prefix}${to}`. `once`: one request for each, in order. Default: at random. */
  users: { prefix: string; from: number; to: number; once?: boolean }
  authority: string
  /** Absent: the requests are not signed. */
  key?: CallerHalf
}

/** Times in milliseconds. `wrong`: answers that were not 200. */
export interface RoundResult {
  took: number
  perSecond: number
  p50: number
  p99: number
  answered: number
  wrong: number
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')

function makeRequests({ requests, users, authority, key }: Round): Buffer[] {
  const { prefix, from, to, once = false } = users
  const signing = key === undefined ? undefined : signingKey(key.key_id, key.algorithm, key.secret ?? '')
  return Array.from({ length: requests }, (_, i) => {
    const path = `/tokens/${prefix}${once ? from + i : from + Math.floor(Math.random() * (to - from + 1))}`
    const signed =
      signing === undefined
        ? {}
        : signRequest({ method: 'GET', url: `http://${authority}${path}` }, signing, {
            now: Date.now(),
            expiresInSeconds: 60,
          })
    const headers = { host: authority, accept: 'application/json', ...signed }
    return Buffer.from(
      `GET ${path} HTTP/1.1\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    )
  })
}

/** The loop of one connection: send a request, read the whole answer, record how long it took, repeat. */
async function keepBusy(
  socket: Socket,
  next: () => Buffer | undefined,
  note: (milliseconds: number, status: number) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let began = 0
  let received: Buffer[] = []
  let size = 0
  let expected = Number.POSITIVE_INFINITY
  let status = 0
  function send(): void {
    const request = next()
    if (request === undefined) {
      socket.destroy()
      return resolve()
    }
    received = []
    size = 0
    expected = Number.POSITIVE_INFINITY
    began = performance.now()
    socket.write(request)
  }
  socket.on('data', (chunk) => {
    received.push(chunk)
    size += chunk.length
    if (expected === Number.POSITIVE_INFINITY) {
      const all = received.length === 1 ? chunk : Buffer.concat(received)
      const end = all.indexOf(END_OF_HEAD)
      if (end === -1) return
      const head = all.toString('latin1', 0, end)
      status = Number(head.slice(9, 12))
      expected = end + 4 + Number(/content-length: (\d+)/i.exec(head)?.[1])
    }
    if (size < expected) return
    note(performance.now() - began, status)
    send()
  })
  socket.on('error', reject)
  socket.on('close', () => resolve())
  send()
  return promise
}

async function run(round: Round): Promise<RoundResult> {
  const requests = makeRequests(round)
  const times: number[] = []
  let wrong = 0
  const sockets = await Promise.all(
    Array.from(
      { length: round.connections },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ port: round.port, host: '127.0.0.1', noDelay: true }, () => resolve(socket)).on(
            'error',
            reject,
          )
        }),
    ),
  )
  const began = performance.now()
  const next = () => (performance.now() - began < round.milliseconds ? requests.pop() : undefined)
  await Promise.all(
    sockets.map((socket) =>
      keepBusy(socket, next, (milliseconds, status) => {
        times.push(milliseconds)
        if (status !== 200) wrong++
      }),
    ),
  )
  const took = performance.now() - began
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return { took, perSecond: (times.length / took) * 1000, p50: at(0.5), p99: at(0.99), answered: times.length, wrong }
}

process.on('message', (round: Round) => {
  run(round).then(
    (result) => process.send!(result),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
