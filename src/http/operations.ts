import type { FastifyInstance } from 'fastify'

/** What Kubernetes asks for. */
export const PROBE_PATHS: ReadonlySet<string> = new Set(['/livez', '/readyz'])

export interface OperationsRoutesOptions {
  /** The body of `/readyz`. `ready` decides whether Kubernetes sends traffic to this replica. */
  readiness(): Promise<{ ready: boolean }>
  /** The body of `/status`. */
  status(): Promise<object>
  metrics(): Promise<{ contentType: string; text: string }>
}

/** For Kubernetes, Prometheus and `doctor --fleet`, on a listener of their own. No answer is secret or personal. */
export async function operationsRoutes(
  scope: FastifyInstance,
  { readiness, status, metrics }: OperationsRoutesOptions,
): Promise<void> {
  scope.get('/livez', { logLevel: 'warn' }, async () => ({ alive: true }))
  scope.get('/readyz', { logLevel: 'warn' }, async (_request, reply) => {
    const body = await readiness()
    return reply.code(body.ready ? 200 : 503).send(body)
  })
  scope.get('/status', { logLevel: 'warn' }, async () => status())
  scope.get('/metrics', { logLevel: 'warn' }, async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
}
