import type { FastifyRequest } from 'fastify'

const facts = new WeakMap<FastifyRequest, Record<string, unknown>>()

/**
 * Adds members to the line that ends this request: who, for whom, which. Not a line of its own, because every warm read
 * would pay for it.
 */
export function audit(request: FastifyRequest, what: Record<string, unknown>): void {
  facts.set(request, what)
}

export const auditOf = (request: FastifyRequest): Record<string, unknown> | undefined => facts.get(request)
