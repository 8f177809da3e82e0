import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

// MEGDocs' own logins, in memory. Their cookie is SameSite=Strict, the hardest case when the browser returns from
// Microsoft.

export interface User {
  id: string
  name: string
  role: string
}

/** All of them are invented. */
export const USERS: readonly User[] = [
  { id: 'u-1001', name: 'Dr. Jane Doe', role: 'Physician, ward 3' },
  { id: 'u-1002', name: 'Nurse Sam Roe', role: 'Nurse, ward 3' },
  { id: 'u-1003', name: 'Dr. Alex Poe', role: 'Physician, out-patients' },
  { id: 'u-1004', name: 'Kim Lowe', role: 'Quality management' },
]

export interface Session {
  user: User
  csrf: string
  /** Ids of the connect sessions that this session began. Several tabs may have one each. */
  connectSessions: Set<string>
  /** Shown once, on the next page. */
  notice?: string | undefined
}

export const SESSION_COOKIE = 'megdocs_session'

export interface Sessions {
  of(request: FastifyRequest): Session | undefined
  begin(reply: FastifyReply, user: User): void
  end(request: FastifyRequest, reply: FastifyReply): void
}

export function createSessions(): Sessions {
  const sessions = new Map<string, Session>()
  const idOf = (request: FastifyRequest): string => request.cookies[SESSION_COOKIE] ?? ''
  const cookie = { path: '/', httpOnly: true, sameSite: 'strict' as const }
  return {
    of: (request) => sessions.get(idOf(request)),
    begin(reply, user) {
      const id = randomBytes(32).toString('base64url')
      sessions.set(id, { user, csrf: randomBytes(32).toString('base64url'), connectSessions: new Set() })
      reply.setCookie(SESSION_COOKIE, id, cookie)
    },
    end(request, reply) {
      sessions.delete(idOf(request))
      reply.clearCookie(SESSION_COOKIE, cookie)
    },
  }
}
