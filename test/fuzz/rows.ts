import fc from 'fast-check'
import { createImport, type ImportRow } from '../../src/core/import.ts'
import { DEFAULT_SCOPES, KNOWN_SCOPES } from '../../src/core/microsoft-permissions.ts'
import { canonicalScopes } from '../../src/microsoft/scopes.ts'
import { near, promise, target } from './target.ts'

const NOW = Date.parse('2026-11-28T10:00:00Z')
const CANARY = 'canary.refresh.token.0123456789'
const ROW = {
  user_id: '42',
  refresh_token: CANARY,
  access_token: 'eyJ0eXAiOiJKV1QifQ.e30.c2ln',
  expires_at: '2026-11-28T11:00:00Z',
  scopes: 'User.Read Files.ReadWrite.All',
  tenant_id: '7e57c0de-0000-4000-8000-000000000001',
  object_id: '7e57c0de-0000-4000-8000-00000000000a',
  username: 'jane@contoso.com',
  connected_at: '2026-01-01T00:00:00Z',
  updated_at: '2026-11-28T10:00:00Z',
}
const fields = fc.constantFrom(...Object.keys(ROW), '__proto__', 'constructor', 'provider', CANARY)
const values = fc.oneof(
  fc.constantFrom<unknown>(null, '', ' ', 0, true, [], {}, [null]),
  fc.constantFrom(
    '9999-12-31T23:59:59Z',
    '2026-02-30T00:00:00Z',
    '2026-11-28T10:06:00Z',
    '0001-01-01T00:00:00+14:00',
    '2026-11-01T00:00:00+23:00',
    '0000-01-01T00:00:00Z',
  ),
  near(...Object.values(ROW)),
  fc.array(fc.string(), { maxLength: 3 }),
)

/** A day that exists, and a zone that Postgres takes. */
function isTime(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number)
  const days = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  return year > 0 && day <= days && !Number.isNaN(Date.parse(text)) && !/[+-](?:1[6-9]|2\d):\d\d$/.test(text)
}

/** Takes all rows that may be stored, as the database would get them. */
async function run(rows: readonly unknown[]) {
  const stored: ImportRow[] = []
  const imports = createImport({
    store: {
      import: (some) => {
        stored.push(...some)
        return Promise.resolve(some.map(() => ({ result: 'imported', generation: 1 })))
      },
    },
    clock: { now: () => NOW },
    canonicalScopes,
    neededScopes: DEFAULT_SCOPES,
    knownScopes: KNOWN_SCOPES,
    clientIds: () => ['11111111-2222-3333-4444-555555555555'],
  })
  return { results: await imports.run(rows, { caller: 'fuzz', dryRun: false }), stored }
}

export const importRows = target(
  'import-rows',
  fc.array(
    fc.oneof(
      fc.dictionary(fields, values, { maxKeys: 3 }).map((changes) => ({ ...ROW, ...changes })),
      fc.dictionary(fields, values),
      values,
    ),
    { maxLength: 3 },
  ),
  async (rows) => {
    const { results, stored } = await run(rows)
    promise(results.length === rows.length, 'not one result for each row')
    const users = stored.map(({ userId }) => userId)
    promise(new Set(users).size === users.length, 'two rows of one user were stored')
    for (const row of stored) {
      promise(/^[A-Za-z0-9._~-]{1,128}$/.test(row.userId), 'a user id that is none')
      promise(/^[\x21-\x7e]{20,16384}$/.test(row.refreshToken), 'a refresh token that is none')
      promise((row.accessToken === undefined) === (row.expiresAt === undefined), 'an access token without its end')
      for (const time of [row.updatedAt, row.expiresAt, row.connectedAt])
        promise(time === undefined || isTime(time), 'a time that is none')
      promise(Date.parse(row.updatedAt) <= NOW + 300_000, 'a row of the future')
    }
    const reasons = results.flatMap((result) => (result.result === 'invalid' ? result.reasons : []))
    promise(!reasons.join().includes(CANARY), 'a secret was quoted')
  },
)
