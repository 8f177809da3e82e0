import { createHash } from 'node:crypto'
import cookie, { Signer } from '@fastify/cookie'
import session, { type FastifySessionOptions } from '@fastify/session'
import type { FastifyInstance, FastifyRequest, Session } from 'fastify'
import type { AccountKind } from '../core/integration.ts'
import type { BrowserSessionStore } from '../core/ports.ts'

declare module 'fastify' {
  interface Session {
    /** A cookie came back: this browser takes them. */
    seen?: boolean
    /** The one user of this session. */
    userId?: string
    /** Opened by a manage ticket: it may use the account page. */
    manages?: boolean
    /** Was read from the store in this request, so saving it must find it there. Never stored. */
    known?: boolean
    /** For the forms of the account page. */
    csrfToken?: string
    /** The account was just disconnected: whose page of Microsoft shows the approval. The session knows no user. */
    disconnected?: AccountKind
    /**
     * By the hash of a state that was sent to Microsoft: one for each connect session, so that two tabs do not disturb
     * each other.
     */
    [attempt: `attempt:${string}`]: true
  }
}

/** How long a browser session lives (docs/security.md#browser-sessions). */
export const BROWSER_SESSION_MS = 30 * 60_000

/** How long "disconnected" can be shown again: as long as the result of a connect. */
const DISCONNECTED_SESSION_MS = 10 * 60_000

/**
 * How long a session without a user lives: as long as a browser needs for the round trip that shows that it takes
 * cookies. Each visit of a valid link without cookies makes a row.
 */
export const ANONYMOUS_SESSION_MS = 2 * 60_000

export interface SessionOptions {
  store: BrowserSessionStore
  /** Newest first: the first signs, all are accepted. They may change while the process runs. */
  secrets(): readonly string[]
  /** Whether browsers reach us by https. Without it (on localhost only) the cookie has no `Secure` and no `__Host-`. */
  secure: boolean
}

/** The hash by which core and the database know a browser session. They never get its id. */
export function browserSessionOf(request: FastifyRequest): Buffer {
  return hashOf(request.session.sessionId)
}

/** The user whom the browser session knows. Undefined too where the request failed before its session was read. */
export function userOfSession(request: FastifyRequest): string | undefined {
  const { session: read } = request as { session?: Session }
  return read?.userId
}

const hashOf = (sessionId: string): Buffer => createHash('sha256').update(sessionId).digest()

/**
 * Binds the session to this user. A session that was not theirs gets a new id, so that nobody can have planted it.
 * Returns whether it got one.
 */
export async function bindSession(request: FastifyRequest, userId: string): Promise<boolean> {
  const isNew = request.session.userId !== userId
  if (isNew) await request.session.regenerate()
  request.session.userId = userId
  request.session.seen = true
  request.session.touch()
  return isNew
}

/** Signs with the secrets of the moment. @fastify/session would keep those of the start. */
function signerOf(secrets: () => readonly string[]): { sign: Signer['sign']; unsign: Signer['unsign'] } {
  let made: { from: readonly string[]; signer: Signer } | undefined
  const signer = (): Signer => {
    const from = secrets()
    if (made?.from !== from) made = { from, signer: new Signer([...from]) }
    return made.signer
  }
  return { sign: (value) => signer().sign(value), unsign: (value) => signer().unsign(value) }
}

/** Cookies and sessions for the scope. Nothing is stored for a visitor whose page needs no session. */
export async function browserSessions(
  scope: FastifyInstance,
  { store, secrets, secure }: SessionOptions,
): Promise<void> {
  const adapter: NonNullable<FastifySessionOptions['store']> = {
    get(sessionId, callback) {
      store
        .get(hashOf(sessionId))
        .then(
          (data) => callback(null, (data === undefined ? null : { ...data, known: true }) as Session | null),
          callback,
        )
    },
    set(sessionId, data, callback) {
      const { originalMaxAge, expires } = data.cookie
      const cookieSeconds = expires
        ? Math.max(1, (expires.getTime() - Date.now()) / 1000)
        : (originalMaxAge ?? BROWSER_SESSION_MS) / 1000
      const ttlSeconds =
        data.userId === undefined
          ? Math.min(cookieSeconds, (data.disconnected ? DISCONNECTED_SESSION_MS : ANONYMOUS_SESSION_MS) / 1000)
          : cookieSeconds
      const { known, ...kept } = JSON.parse(JSON.stringify(data)) as Record<string, unknown>
      const save = known === true ? store.update : store.create
      save(hashOf(sessionId), kept, data.userId, ttlSeconds).then(() => callback(), callback)
    },
    destroy(sessionId, callback) {
      store.destroy(hashOf(sessionId)).then(() => callback(), callback)
    },
  }
  const attributes = { secure, httpOnly: true, sameSite: 'lax', path: '/' } as const
  // Also for the line that removes a cookie: a browser ignores a `__Host-` name without them (RFC 6265bis section
  // 4.1.3.2).
  await scope.register(cookie, { parseOptions: attributes })
  await scope.register(session, {
    secret: signerOf(secrets),
    store: adapter,
    // MEGDocs has the same host, so the name must be ours alone.
    cookieName: secure ? '__Host-token_broker' : 'token_broker',
    cookie: { ...attributes, maxAge: BROWSER_SESSION_MS },
    saveUninitialized: false,
    rolling: false,
  })
}
