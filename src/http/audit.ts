import type { FastifyRequest } from 'fastify'

const facts = new WeakMap<FastifyRequest, Record<string, unknown>>()

/** What the line that ends this request says beside route and status: who, for whom, which. One line, because the warm read pays for each. */
export function audit(request: FastifyRequest, what: Record<string, unknown>): void {
  facts.set(request, what)
}

export const auditOf = (request: FastifyRequest): Record<string, unknown> | undefined => facts.get(request)
