// Signed messages to the last byte, for implementers of a caller who have only the OpenAPI document. Literals, because
// http does not know keys; test/http/openapi.test.ts recomputes each of them with src/signature. The keys are published
// here: never use them.

export interface WorkedRequest {
  readonly title: string
  readonly key: { readonly keyId: string; readonly algorithm: 'hmac-sha256' | 'ed25519'; readonly material: string }
  /** How to read `material`. */
  readonly materialIs: string
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** The lines joined by LF, none at the end. */
  readonly base: readonly string[]
  /** What signing adds to the request. */
  readonly adds: Readonly<Record<string, string>>
}

export interface WorkedAnswer {
  readonly title: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly base: readonly string[]
  readonly adds: Readonly<Record<string, string>>
}

/** Seconds since the epoch, the time of the first two examples. */
export const WORKED_AT = 1795338406

const GET_PARAMETERS =
  '("@method" "@authority" "@path" "@query");created=1795338406;expires=1795338436;nonce="ypeBEsobvcr6wjGzmiPcTQ"' +
  ';keyid="megdocs-2026-11";tag="token-broker/1"'

export const WORKED_GET: WorkedRequest = {
  title: 'A read with an HMAC key',
  key: { keyId: 'megdocs-2026-11', algorithm: 'hmac-sha256', material: 'hRPXpPug6hBYMIGzlO9ybqrV12WlEibzTVzpGZ8cGno' },
  materialIs: 'the secret: base64url of the 32 bytes that are the HMAC key',
  method: 'GET',
  url: 'https://token-broker.megdocs.svc:8081/tokens/42?min_ttl=300',
  headers: {},
  base: [
    '"@method": GET',
    '"@authority": token-broker.megdocs.svc:8081',
    '"@path": /tokens/42',
    '"@query": ?min_ttl=300',
    `"@signature-params": ${GET_PARAMETERS}`,
  ],
  adds: {
    'signature-input': `sig1=${GET_PARAMETERS}`,
    signature: 'sig1=:hqyT9OfLbyqJkcOm4irwkgZe1R13+9vCrRXlcMjjRW4=:',
  },
}

const POST_PARAMETERS =
  '("@method" "@authority" "@path" "@query" "content-digest" "content-type");created=1795338406;expires=1795338436' +
  ';nonce="PiPoFgA5WUoziU9lZOGxNA";keyid="megdocs-ed25519-2026-11";tag="token-broker/1"'

export const WORKED_POST: WorkedRequest = {
  title: 'A request with a body and an Ed25519 key',
  key: {
    keyId: 'megdocs-ed25519-2026-11',
    algorithm: 'ed25519',
    material: 'jQ_P3YckDcdWH7sl1jQQ0wWmcvUtVfNLK4j2pHd7wnE',
  },
  materialIs: 'the private key: base64url of its 32-byte seed',
  method: 'POST',
  url: 'https://token-broker.megdocs.svc:8081/tokens/42/refresh',
  headers: { 'content-type': 'application/json' },
  body: '{"generation":1817}',
  base: [
    '"@method": POST',
    '"@authority": token-broker.megdocs.svc:8081',
    '"@path": /tokens/42/refresh',
    '"@query": ?',
    '"content-digest": sha-256=:1I3RWixgSzi6ugTVR3spV8uwM8fYPw/vEihnGg4PF/4=:',
    '"content-type": application/json',
    `"@signature-params": ${POST_PARAMETERS}`,
  ],
  adds: {
    'content-digest': 'sha-256=:1I3RWixgSzi6ugTVR3spV8uwM8fYPw/vEihnGg4PF/4=:',
    'signature-input': `sig1=${POST_PARAMETERS}`,
    signature: 'sig1=:RXrsXbgJopvYPdPSyVyZKednYTi0v2PnaBuz8AhMrzOIcRerdTHHGdbfHIlOzWJswvCYeWcey9LJVh9Vt7o5Cg==:',
  },
}

const ANSWER_PARAMETERS =
  '("@status" "content-digest" "content-type" "cache-control" "@method";req "@authority";req "@path";req "@query";req' +
  ' "signature-input";req);created=1795338407;keyid="megdocs-2026-11";tag="token-broker-response/1"'

/** Signed with the key of the request, a second later. */
export const WORKED_ANSWER: WorkedAnswer = {
  title: 'The answer to the first example',
  status: 404,
  headers: { 'content-type': 'application/problem+json; charset=utf-8', 'cache-control': 'no-store' },
  body:
    '{"type":"urn:token-broker:problem:not_connected","title":"The user has connected no Microsoft account","status":404,' +
    '"code":"not_connected","request_id":"6a1d52c8-6d5c-4c4f-9b0e-0f4b7d1f0c11"}',
  base: [
    '"@status": 404',
    '"content-digest": sha-256=:rPfmEf3ZIEkXQkVQLTMcd8OoNrUXf6ADx8w54Nm+Z1k=:',
    '"content-type": application/problem+json; charset=utf-8',
    '"cache-control": no-store',
    '"@method";req: GET',
    '"@authority";req: token-broker.megdocs.svc:8081',
    '"@path";req: /tokens/42',
    '"@query";req: ?min_ttl=300',
    `"signature-input";req: sig1=${GET_PARAMETERS}`,
    `"@signature-params": ${ANSWER_PARAMETERS}`,
  ],
  adds: {
    'content-digest': 'sha-256=:rPfmEf3ZIEkXQkVQLTMcd8OoNrUXf6ADx8w54Nm+Z1k=:',
    'signature-input': `sig1=${ANSWER_PARAMETERS}`,
    signature: 'sig1=:Z1gfW01xEglT2ybzvXQWLJtsEGDhVMcq8n6c0oeKV9k=:',
  },
}
