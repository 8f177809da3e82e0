// The route that the warm read is compared with: Fastify, one prepared select by primary key, and the bytes are sent as
// found.
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import postgres from 'postgres'

const sql = postgres(process.env['DATABASE_URL'] ?? '', {
  max: Number(process.env['DATABASE_POOL_SIZE']),
  fetch_types: false,
})
const app = Fastify()
app.get<{ Params: { userId: string } }>('/tokens/:userId', async (request, reply) => {
  const [row] = await sql`select body from bare where user_id = ${request.params.userId}`
  return reply.type('application/json; charset=utf-8').send(row?.['body'])
})
await app.listen({ host: '127.0.0.1', port: 0 })
process.send!({ port: (app.server.address() as AddressInfo).port })
process.on('disconnect', () => process.exit(0))
