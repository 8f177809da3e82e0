import type { Application } from './application.ts'
import { homePage, loginPage } from './pages.ts'
import { USERS } from './sessions.ts'

/** The pages that may follow a login: a closed list, so that a link cannot send a user to another site. */
const NEXT = /^\/(?:documents(?:\/[\w!.-]{1,100})?|microsoft\/connect|microsoft\/manage)?$/
const safe = (next: unknown): string => (typeof next === 'string' && NEXT.test(next) ? next : '/')

export function loginRoutes({ app, sessions, controls, page, form }: Application): void {
  // Browsers request it once for each origin, and would show a 404 in their console.
  app.get('/favicon.ico', async (_request, reply) => reply.code(204).send())
  app.get<{ Querystring: { next?: string } }>('/login', async (request, reply) =>
    reply.type('text/html; charset=utf-8').send(loginPage(USERS, safe(request.query.next))),
  )
  app.post<{ Body: { user?: string; next?: string } }>('/login', async (request, reply) => {
    const user = USERS.find(({ id }) => id === request.body?.user)
    if (!user) return reply.redirect('/login', 303)
    sessions.end(request, reply)
    sessions.begin(reply, user)
    return reply.redirect(safe(request.body.next), 303)
  })
  page('/', async (view) => homePage(view, await view.broker.integration(view.session.user.id)))
  form('/logout', async (view, request, reply) => {
    sessions.end(request, reply)
    // The broker's session in this browser must end with MEGDocs' session. But log out even if the broker cannot be
    // reached.
    await view.broker.endBrowserSessions(view.session.user.id).catch(() => {})
    return reply.redirect('/login', 303)
  })
  form('/sandbox/:action', async (view, request, reply) => {
    const { action } = request.params as { action: string }
    view.session.notice = await controls?.run(action, view.session.user.id)
    return reply.redirect(safe((request.headers.referer ?? '').replace(/^https?:\/\/[^/]+/, '')), 303)
  })
}
