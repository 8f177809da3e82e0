import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { BrokerClient, Call } from './broker-client.ts'
import type { Graph } from './graph.ts'
import type { Control } from './pages.ts'
import type { Session, Sessions } from './sessions.ts'

export interface SandboxControls {
  list: readonly Control[]
  /** Runs the control, for this user if it concerns one user. Resolves with a sentence that describes what it did. */
  run(action: string, userId: string): Promise<string>
}

/** What the views of a logged-in user have access to. */
export interface View {
  session: Session
  broker: BrokerClient
  graph: Graph
  calls: Call[]
  controls: readonly Control[]
}

/** What files with routes use to register them. */
export interface Application {
  app: FastifyInstance
  sessions: Sessions
  controls: SandboxControls | undefined
  /**
   * A page for a logged-in user. Others log in first and return to it. Errors of the broker or Graph are shown as a
   * page.
   */
  page(
    path: string,
    render: (view: View, request: FastifyRequest, reply: FastifyReply) => Promise<string | FastifyReply>,
  ): void
  /** The same for a form, which must contain the CSRF token of the session. */
  form(
    path: string,
    act: (view: View, request: FastifyRequest, reply: FastifyReply) => Promise<string | FastifyReply>,
  ): void
}
