/**
 * A small MEGDocs: fictitious logins, a button that begins a connect session, the completion view, and documents that
 * are read and written through Microsoft Graph with a token from the broker. Like the real MEGDocs, it is a caller of
 * the broker: it uses only the signed API, and the broker's configuration contains two of its URLs.
 */
import type { AddressInfo } from 'node:net'
import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { CallerHalf } from '../../src/signature/keygen.ts'
import { BrokerProblem, type Call, createBrokerClient } from './broker-client.ts'
import type { Application, SandboxControls, View } from './application.ts'
import { connectRoutes } from './connect.ts'
import { documentRoutes } from './documents.ts'
import { createGraph, GraphProblem } from './graph.ts'
import { loginRoutes } from './login.ts'
import { plainPage, problemPage } from './pages.ts'
import { createSessions, type Session } from './sessions.ts'

export interface MegdocsOptions {
  broker: { address(): string; authority: string; key: CallerHalf }
  /** Origin of the simulated Graph. */
  graphUrl: string
  controls?: SandboxControls
}

export interface Megdocs {
  url: string
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1. */
export async function startMegdocs(options: MegdocsOptions): Promise<Megdocs> {
  const app = fastify({ forceCloseConnections: true, exposeHeadRoutes: false })
  await app.register(cookie)
  await app.register(formbody)
  app.addHook('onSend', async (_request, reply) => {
    reply
      .header('cache-control', 'no-store')
      .header('referrer-policy', 'same-origin')
      .header('x-content-type-options', 'nosniff')
  })
  const application = createApplication(app, options)
  for (const routes of [loginRoutes, connectRoutes, documentRoutes]) routes(application)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, close: () => app.close() }
}

function createApplication(app: FastifyInstance, options: MegdocsOptions): Application {
  const sessions = createSessions()
  const controls = options.controls?.list ?? []

  async function view(
    session: Session,
    render: (view: View, request: FastifyRequest, reply: FastifyReply) => Promise<string | FastifyReply>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const calls: Call[] = []
    const onCall = (call: Call): void => void calls.push(call)
    const broker = createBrokerClient({ ...options.broker, onCall })
    const graph = createGraph(options.graphUrl, onCall)
    const frame = { session, broker, graph, calls, controls }
    const answer = await render(frame, request, reply).catch((error: unknown) => {
      const problem = problemOf(error)
      reply.code(problem.status < 400 ? 502 : problem.status)
      return problemPage(frame, problem)
    })
    if (typeof answer !== 'string') return answer
    session.notice = undefined
    return reply.type('text/html; charset=utf-8').send(answer)
  }

  return {
    app,
    sessions,
    controls: options.controls,
    page(path, render) {
      app.get(path, async (request, reply) => {
        const session = sessions.of(request)
        return session
          ? view(session, render, request, reply)
          : reply.redirect(`/login?next=${encodeURIComponent(request.url)}`, 303)
      })
    },
    form(path, act) {
      app.post(path, async (request, reply) => {
        const session = sessions.of(request)
        if (!session) return reply.redirect('/login', 303)
        if ((request.body as Record<string, string> | undefined)?.['csrf'] !== session.csrf) {
          const page = plainPage(
            { title: 'This form is not from your session', session },
            'Please go back and try again.',
          )
          return reply.code(403).type('text/html; charset=utf-8').send(page)
        }
        return view(session, act, request, reply)
      })
    },
  }
}

function problemOf(error: unknown): BrokerProblem['problem'] {
  if (error instanceof BrokerProblem) return error.problem
  if (error instanceof GraphProblem) return { status: 502, code: 'graph_refused', advice: `${error.message}.` }
  throw error
}
