import type { FastifyInstance } from 'fastify'

export interface Readiness {
  /**
   * Whether to send traffic here: false only before the first complete start and while draining
   * (docs/design.md#readiness-and-shutdown).
   */
  ready: boolean
  /** Other problems. They do not take the replica out of the service. */
  notes: Record<string, unknown>
}

export interface OperationsRoutesOptions {
  readiness(): Promise<Readiness>
  metrics(): Promise<{ contentType: string; text: string }>
}

/** For Kubernetes and Prometheus, on a listener of its own. */
export async function operationsRoutes(
  scope: FastifyInstance,
  { readiness, metrics }: OperationsRoutesOptions,
): Promise<void> {
  scope.get('/livez', { logLevel: 'warn' }, async () => ({ alive: true }))
  scope.get('/readyz', { logLevel: 'warn' }, async (_request, reply) => {
    const { ready, notes } = await readiness()
    return reply.code(ready ? 200 : 503).send({ ready, ...notes })
  })
  scope.get('/metrics', { logLevel: 'warn' }, async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
}
