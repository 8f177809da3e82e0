/**
 * What was asked of the simulator, so that tests can say how often Microsoft was called. Never holds a secret or a
 * token.
 */

export interface TokenRequest {
  /** Milliseconds, the simulator's clock. */
  at: number
  tenant: string
  grant: string
  /** The account of the code or refresh token; null when it could not be read. */
  account: string | null
  /** 'tokens', 'AADSTS50173', 'status 503' …; 'pending' until decided. */
  outcome: string
  /** 1.1 or 2.0. */
  httpVersion: string
  authentication: 'client_secret_post' | 'client_secret_basic' | 'private_key_jwt' | 'none'
  /** Names of all form fields, in the order sent. */
  fields: string[]
  /** Values of the fields that are no secret. */
  values: Record<string, string>
  headers: Record<string, string>
}

export interface TokenRequestCounts {
  total: number
  byGrant: Record<string, number>
  byAccount: Record<string, number>
  byOutcome: Record<string, number>
  /** The latest, oldest first; at most 200. */
  recent: TokenRequest[]
}

export const endpoints = ['authorize', 'adminconsent', 'discovery', 'keys', 'graph'] as const
export type Endpoint = (typeof endpoints)[number]

const publicFields = [
  'grant_type',
  'client_id',
  'scope',
  'redirect_uri',
  'client_info',
  'claims',
  'client_assertion_type',
]
const keptHeaders = [
  'client-request-id',
  'return-client-request-id',
  'content-type',
  'accept',
  'user-agent',
  'x-anchormailbox',
]
const kept = 200

export interface Counters {
  begin(
    request: Omit<TokenRequest, 'fields' | 'values' | 'headers' | 'outcome'> & {
      form: ReadonlyMap<string, string>
      headers: Record<string, string | string[] | undefined>
    },
  ): TokenRequest
  end(request: TokenRequest, outcome: string): void
  count(endpoint: Endpoint): void
  tokenRequests(): TokenRequestCounts
  others(): Record<Endpoint, number>
  reset(): void
}

export function createCounters(): Counters {
  let total = 0
  let byGrant = new Map<string, number>()
  let byAccount = new Map<string, number>()
  let byOutcome = new Map<string, number>()
  let recent: TokenRequest[] = []
  let others = new Map<Endpoint, number>()
  const add = <K>(map: Map<K, number>, key: K): unknown => map.set(key, (map.get(key) ?? 0) + 1)

  return {
    begin({ form, headers, ...facts }) {
      const pick = (names: string[], get: (name: string) => string | undefined): Record<string, string> =>
        Object.fromEntries(
          names.flatMap((name) => {
            const value = get(name)
            return value === undefined ? [] : [[name, value]]
          }),
        )
      const request: TokenRequest = {
        ...facts,
        outcome: 'pending',
        fields: [...form.keys()],
        values: pick(publicFields, (name) => form.get(name)),
        headers: pick(keptHeaders, (name) => {
          const value = headers[name]
          return typeof value === 'string' ? value : undefined
        }),
      }
      total += 1
      add(byGrant, request.grant)
      if (request.account) add(byAccount, request.account)
      recent.push(request)
      if (recent.length > 2 * kept) recent = recent.slice(-kept)
      return request
    },
    end(request, outcome) {
      request.outcome = outcome
      add(byOutcome, outcome)
    },
    count: (endpoint) => void add(others, endpoint),
    tokenRequests: () => ({
      total,
      byGrant: Object.fromEntries(byGrant),
      byAccount: Object.fromEntries(byAccount),
      byOutcome: Object.fromEntries(byOutcome),
      recent: recent.slice(-kept).map((request) => ({ ...request })),
    }),
    others: () =>
      Object.fromEntries(endpoints.map((name) => [name, others.get(name) ?? 0])) as Record<Endpoint, number>,
    reset() {
      total = 0
      byGrant = new Map()
      byAccount = new Map()
      byOutcome = new Map()
      others = new Map()
      recent = []
    },
  }
}
