// The route that a read is compared with: Fastify, one prepared select by primary key, and the bytes are sent as found.
// With node-postgres, because it is faster here than postgres.js (bench/README.md).
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { Pool } from 'pg'

const pool = new Pool({
  connectionString: process.env['DATABASE_URL'],
  max: Number(process.env['DATABASE_POOL_SIZE']),
  idleTimeoutMillis: 0,
})
const app = Fastify()
app.get<{ Params: { userId: string } }>('/tokens/:userId', async (request, reply) => {
  const { rows } = await pool.query<{ body: string }>({
    name: 'bare',
    text: 'select body from bare where user_id = $1',
    values: [request.params.userId],
  })
  return reply.type('application/json; charset=utf-8').send(rows[0]?.body)
})
await app.listen({ host: '127.0.0.1', port: 0 })
process.send!({ port: (app.server.address() as AddressInfo).port })
process.on('disconnect', () => process.exit(0))
