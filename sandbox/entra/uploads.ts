/**
 * Upload sessions of the simulated OneDrive
 * (https://learn.microsoft.com/graph/api/driveitem-createuploadsession): the address of a session is its own
 * authorization, so its requests carry no token, and tokens may expire while it lasts.
 */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Account } from './accounts.ts'
import type { DriveFile } from './drive.ts'
import { describeFile } from './graph-bodies.ts'
import type { World } from './world.ts'

const SESSION_MS = 24 * 3_600_000

interface Upload {
  account: Account
  file: DriveFile
  text: string
  expiresAt: number
  /** `Content-Range` of the last part, once all are there. */
  last?: string
}

export interface Uploads {
  /** `origin`: where simulated Graph was asked. The session has another host, as at Microsoft. */
  begin(account: Account, file: DriveFile, origin: URL): unknown
}

export function uploadRoutes(app: FastifyInstance, world: World): Uploads {
  const uploads = new Map<string, Upload>()
  /** `last`: the last byte of the file, known from the first part on. */
  const state = ({ expiresAt, text }: Upload, last: number | '' = '') => ({
    expirationDateTime: new Date(expiresAt).toISOString(),
    nextExpectedRanges: [`${text.length}-${last}`],
  })
  app.put<{ Params: { id: string }; Body: string }>('/upload/:id', (request, reply) => {
    const upload = uploads.get(request.params.id)
    if (upload === undefined || upload.expiresAt <= world.clock.now()) return reply.code(404).send()
    // Microsoft's documents: a request with a token may be answered 401.
    if (request.headers.authorization !== undefined) return reply.code(401).send()
    const range = request.headers['content-range'] ?? ''
    // msgraph-core sends the last part a second time.
    if (upload.last === range) return reply.code(200).send(describeFile(upload.account, upload.file))
    const [, from, to, all] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? []
    if (Number(from) !== upload.text.length) return reply.code(416).send()
    if (request.body.length !== Number(to) - Number(from) + 1) return reply.code(400).send()
    upload.text += request.body
    if (upload.text.length < Number(all)) return reply.code(202).send(state(upload, Number(all) - 1))
    upload.last = range
    world.drives.write(upload.account, upload.file.id, upload.text, world.clock.now())
    return reply.code(200).send(describeFile(upload.account, upload.file))
  })
  return {
    begin(account, file, origin) {
      const id = randomUUID()
      const upload = { account, file, text: '', expiresAt: world.clock.now() + SESSION_MS }
      uploads.set(id, upload)
      return { uploadUrl: `http://localhost:${origin.port}/upload/${id}`, ...state(upload) }
    },
  }
}
