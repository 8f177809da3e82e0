import type { Token } from './broker-client.ts'
import { type Graph, GraphProblem } from './graph.ts'
import type { Application, View } from './application.ts'
import { documentPage, documentsPage } from './pages.ts'

/**
 * Does `work` with a token. If Graph rejects the token, gets a token of a later generation, passes on the claims
 * challenge if there was one, and repeats the work once. A second rejection is final.
 */
async function withToken<T>(
  { broker, graph, session }: View,
  work: (graph: Graph, token: string) => Promise<T>,
): Promise<{ token: Token; result: T }> {
  const token = await broker.token(session.user.id)
  try {
    return { token, result: await work(graph, token.access_token) }
  } catch (error) {
    if (!(error instanceof GraphProblem && error.status === 401)) throw error
    const later = await broker.refresh(session.user.id, token.generation, error.claims)
    return { token: later, result: await work(graph, later.access_token) }
  }
}

export function documentRoutes({ page, form }: Application): void {
  page('/documents', async (view) => {
    const { token, result } = await withToken(view, async (graph, access) => ({
      me: await graph.me(access),
      files: await graph.files(access),
    }))
    return documentsPage(view, token, result.me, result.files)
  })
  page('/documents/:id', async (view, request) => {
    const { id } = request.params as { id: string }
    const { token, result } = await withToken(view, async (graph, access) => ({
      file: await graph.file(access, id),
      text: await graph.read(access, id),
    }))
    return documentPage(view, token, result.file, result.text)
  })
  form('/documents/:id', async (view, request, reply) => {
    const { id } = request.params as { id: string }
    const { text = '' } = request.body as { text?: string }
    // Browsers send the line ends of a textarea as CR LF.
    await withToken(view, (graph, access) => graph.write(access, id, text.replaceAll('\r\n', '\n')))
    view.session.notice = 'Saved to Microsoft 365.'
    return reply.redirect(`/documents/${encodeURIComponent(id)}`, 303)
  })
}
