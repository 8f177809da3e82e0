import type { FastifyReply } from 'fastify'
import { BrokerProblem } from './broker-client.ts'
import type { Application, View } from './application.ts'
import { connectPage, plainPage } from './pages.ts'

async function begin(
  { broker, session }: View,
  reply: FastifyReply,
  options: { intent: 'connect' | 'manage'; allowSwitch?: boolean },
) {
  const { id, url } = await broker.beginConnect(session.user.id, options)
  if (options.intent === 'connect') session.connectSessions.add(id)
  return reply.redirect(url, 303)
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const HANDLE = /^[A-Za-z0-9_-]{43}$/

/** An attempt that the broker does not know needs no end. */
function ignoreUnknown(error: unknown): void {
  if (!(error instanceof BrokerProblem) || error.problem.status !== 404) throw error
}

/** The broker's page that tells the user the outcome, whether the completion succeeded or not. */
async function nextAfter(completion: Promise<{ next: string }>): Promise<string> {
  try {
    return (await completion).next
  } catch (error) {
    if (error instanceof BrokerProblem && error.problem.next !== undefined) return error.problem.next
    throw error
  }
}

/** The pages that the broker's configuration calls entry_urls and completion_url, and the target of the button. */
export function connectRoutes({ page, form }: Application): void {
  page('/microsoft/connect', async (view) => connectPage(view))
  form('/microsoft/connect', (view, request, reply) =>
    begin(view, reply, {
      intent: 'connect',
      allowSwitch: (request.body as { allow_switch?: string }).allow_switch === 'yes',
    }),
  )
  page('/microsoft/manage', (view, _request, reply) => begin(view, reply, { intent: 'manage' }))

  // Only a connect session that this login began may be completed. Otherwise an attacker could let this user approve
  // access for the attacker's own connect session (docs/security.md#connect-flow). Such a session is ended, so that the
  // attacker cannot complete it either.
  page('/microsoft/connected', async (view, request, reply) => {
    const { connect_session: id, handle } = request.query as { connect_session?: unknown; handle?: unknown }
    const isBack = typeof id === 'string' && UUID.test(id) && typeof handle === 'string' && HANDLE.test(handle)
    if (!isBack || !view.session.connectSessions.has(id)) {
      if (isBack) await view.broker.endConnect(id, handle).catch(ignoreUnknown)
      reply.code(403)
      const title = 'This sign-in was not begun here'
      return plainPage({ ...view, title }, 'Nothing was connected. Start again with the button on the home page.')
    }
    return reply.redirect(await nextAfter(view.broker.complete(id, view.session.user.id, handle)), 303)
  })
}
