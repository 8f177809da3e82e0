import t from 'tap'
import { traceParent } from '../../src/http/trace-context.ts'
import { startWorld } from '../support/world.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

t.test('a traceparent is taken as W3C Trace Context says, and a wrong one is ignored', async (t) => {
  t.strictSame(traceParent(`00-${TRACE}-${PARENT}-01`), { traceId: TRACE, spanId: PARENT, sampled: true })
  t.strictSame(traceParent(`cc-${TRACE}-${PARENT}-00-what-the-future-holds`), {
    traceId: TRACE,
    spanId: PARENT,
    sampled: false,
  })
  const ignored = [
    undefined,
    [],
    '',
    TRACE,
    `00-${TRACE}-${PARENT}-01-more`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}\n-${PARENT}-01`,
  ]
  for (const header of ignored) t.equal(traceParent(header), undefined, JSON.stringify(header))
})

t.test('every line that is logged for a request has the trace of its caller', async (t) => {
  const { replica } = await startWorld(t)
  await fetch(`${replica.internalUrl}/tokens/42`, { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } })
  await fetch(`${replica.internalUrl}/tokens/43`)
  const lines = replica
    .logged()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { request_id?: string; trace_id?: string; msg: string })
    .filter(({ request_id }) => request_id !== undefined)
  const traced = new Set(lines.filter(({ trace_id }) => trace_id === TRACE).map(({ request_id }) => request_id))
  t.equal(traced.size, 1)
  t.strictSame(
    lines.filter(({ request_id, trace_id }) => traced.has(request_id) && trace_id !== TRACE),
    [],
  )
  t.ok(lines.some(({ trace_id }) => trace_id === undefined))
})
