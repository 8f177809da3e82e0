// The service that a competent developer ships in a day: Fastify, Microsoft's msal-node and its distributed cache in
// the same Postgres, a partition for each user. It has no authentication, no encryption, no audit and no lock. As in
// Microsoft's samples, a request has a client of its own, and the metadata of the authority is configured so that no
// client asks for it:
// https://learn.microsoft.com/entra/msal/javascript/node/caching
import type { AddressInfo } from 'node:net'
import { ConfidentialClientApplication, DistributedCachePlugin } from '@azure/msal-node'
import Fastify from 'fastify'
import { Pool } from 'pg'
import type { PeerSettings } from './cache.ts'

const { auth, scopes } = JSON.parse(process.env['PEER_SETTINGS']!) as PeerSettings
const pool = new Pool({
  connectionString: process.env['DATABASE_URL'],
  max: Number(process.env['DATABASE_POOL_SIZE']),
  idleTimeoutMillis: 0,
})
const storage = {
  async get(key: string): Promise<string> {
    const { rows } = await pool.query<{ value: string }>({
      name: 'get',
      text: 'select value from msal_cache where key = $1',
      values: [key],
    })
    return rows[0]?.value ?? ''
  },
  async set(key: string, value: string): Promise<string> {
    await pool.query({
      name: 'set',
      text: 'insert into msal_cache values ($1, $2) on conflict (key) do update set value = $2',
      values: [key, value],
    })
    return value
  },
}

const app = Fastify()
app.get<{ Params: { userId: string } }>('/tokens/:userId', async (request) => {
  const key = async () => request.params.userId
  const cachePlugin = new DistributedCachePlugin(storage, { getKey: key, extractKey: key })
  const client = new ConfidentialClientApplication({ auth, cache: { cachePlugin } })
  const [account] = await client.getTokenCache().getAllAccounts()
  if (account === undefined) throw new Error('not connected')
  const { accessToken, expiresOn, scopes: granted } = await client.acquireTokenSilent({ account, scopes })
  return { access_token: accessToken, token_type: 'Bearer', expires_at: expiresOn, scope: granted.join(' ') }
})
await app.listen({ host: '127.0.0.1', port: 0 })
process.send!({ port: (app.server.address() as AddressInfo).port })
process.on('disconnect', () => process.exit(0))
