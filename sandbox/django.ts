import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { request } from 'undici'
import { CLIENT, ensureVenv, findPython, MissingPython } from './django-venv.ts'
import type { SandboxControls } from './megdocs/application.ts'
import type { Megdocs, MegdocsOptions } from './megdocs/main.ts'
import { supervise } from './supervise.ts'
import { temporaryFolder } from './temporary-folder.ts'

// Starts the Django example of clients/python in place of the TypeScript MEGDocs: the same pages, the same broker,
// Django's sessions.

/**
 * Starts the Django example with a temporary database. Throws MissingPython. `readsEvents`: so that its support pages
 * have a list and a history. Then the status on its pages is the stored one, which follows an event after a moment.
 */
export async function startDjango(
  { broker, graphUrl, controls }: MegdocsOptions,
  { readsEvents = false } = {},
): Promise<Megdocs> {
  const python = await findPython(['python3'])
  if (python === undefined) throw new MissingPython('The Django example needs python3 (3.10 or later) with venv.')
  const interpreter = await ensureVenv(
    python,
    'example',
    ['Django~=5.2.0'],
    (line) => void process.stdout.write(`  ${line}\n`),
  )
  const folder = temporaryFolder('token-broker-django')
  const controlServer = await serveControls(controls)
  // The broker starts after MEGDocs, and its address may change. This server forwards to it from a fixed address.
  const forwarder = await forward(() => broker.address())
  const lines: string[] = []
  let url: string | undefined
  const child = await supervise([interpreter, 'serve.py'], {
    cwd: join(CLIENT, 'example'),
    env: {
      PATH: '/usr/bin:/bin',
      MEGDOCS_DATABASE: join(folder, 'megdocs.sqlite3'),
      MEGDOCS_SECRET_KEY: randomBytes(32).toString('base64url'),
      TOKEN_BROKER_URL: forwarder.url,
      TOKEN_BROKER_AUTHORITY: broker.authority,
      TOKEN_BROKER_KEY_ID: broker.key.key_id,
      TOKEN_BROKER_SECRET: broker.key.secret ?? '',
      GRAPH_URL: graphUrl,
      SANDBOX_CONTROLS_URL: controlServer.url,
      ...(readsEvents && { MEGDOCS_READS_EVENTS: 'yes' }),
    },
    lastSignal: 'TERM',
    temporaryFolder: folder,
    onOutput(line) {
      url ??= /^listening (\S+)$/.exec(line)?.[1]
      lines.push(line)
    },
    onError: (line) => void lines.push(line),
  })
  async function close(): Promise<void> {
    child.kill('SIGTERM')
    await child.ended
    for (const server of [controlServer, forwarder]) await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
  while (url === undefined) {
    if (child.isOver()) {
      await close()
      throw new Error(`the Django example did not start:\n${lines.slice(-15).join('\n')}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { url, close }
}

interface Listening {
  url: string
  close(): Promise<void>
}

async function listen(server: Server): Promise<Listening> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function read(message: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** GET lists the controls of the sandbox. POST {action, userId} uses one. */
export function serveControls(controls: SandboxControls | undefined): Promise<Listening> {
  return listen(
    createServer((asked, response) => {
      void (async () => {
        const body = await read(asked)
        const { action = '', userId = '' } =
          body.length === 0 ? {} : (JSON.parse(body.toString()) as { action?: string; userId?: string })
        const answer =
          asked.method === 'POST' ? { said: (await controls?.run(action, userId)) ?? '' } : (controls?.list ?? [])
        response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
      })().catch(() => response.writeHead(500).end())
    }),
  )
}

/** Forwards requests unchanged: the signature covers the Host header, not the address. */
function forward(address: () => string): Promise<Listening> {
  return listen(
    createServer((incoming, outgoing) => {
      void (async () => {
        const body = await read(incoming as IncomingMessage)
        const headers = Object.fromEntries(
          Object.entries(incoming.headers).filter(
            ([name]) => !['connection', 'content-length', 'transfer-encoding'].includes(name),
          ),
        )
        const answer = await request(address() + (incoming.url ?? '/'), {
          method: incoming.method as 'GET',
          headers,
          body: body.length === 0 ? null : body,
        })
        const {
          connection: _connection,
          'transfer-encoding': _encoding,
          'keep-alive': _alive,
          ...passed
        } = answer.headers
        outgoing.writeHead(answer.statusCode, passed)
        outgoing.end(Buffer.from(await answer.body.arrayBuffer()))
      })().catch(() => outgoing.writeHead(502).end())
    }),
  )
}
