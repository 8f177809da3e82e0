import type { Conclusion } from './check.ts'
import type { FleetFacts } from './fleet.ts'

// What the answers of the replicas say: who is refused, and which reads fail. Counts are since their start, so what counts is what came last.

/** Milliseconds within which an answer is news. */
const LATELY = 900_000
/** Milliseconds without a token handed out, while requests are refused, and so many of these: everybody is. */
const QUIET = 60_000
const REPEATED = 5
/** Not what a stranger's request meets, who knows no key id: a caller whose key or address was changed. */
const OF_A_CALLER = ['unknown_key', 'unknown_authority']

export const book = (anchor: string): string => `docs/runbooks.md#${anchor}`

type Facts = Pick<FleetFacts, 'replicas'>

/** Milliseconds since the epoch; undefined: never, or by no replica that answers. */
function lastRead({ replicas }: Facts, wanted: string): number | undefined {
  const times = replicas
    .flatMap(({ tokens }) => tokens)
    .flatMap(({ status, last_at: at }) => (status === wanted && at !== null ? [Date.parse(at)] : []))
  return times.length === 0 ? undefined : Math.max(...times)
}

export function ofSignatures(facts: Facts, now: number): Conclusion[] {
  // A full memory of nonces is no fault of a signature: ofReads has it as 429.
  const lately = facts.replicas
    .flatMap(({ refused }) => refused)
    .flatMap((one) =>
      one.last_at !== null && one.detail !== 'nonce_memory_full' && now - Date.parse(one.last_at) < LATELY
        ? [{ ...one, at: Date.parse(one.last_at) }]
        : [],
    )
  if (lately.length === 0) return []
  const kinds = [
    ...new Set(lately.map(({ detail, key_id }) => `${detail}${key_id === '' ? '' : ` (${key_id})`}`)),
  ].join(', ')
  const ofCallers = lately.filter(({ detail, key_id }) => key_id !== '' || OF_A_CALLER.includes(detail))
  const repeated = ofCallers.reduce((sum, { count }) => sum + count, 0) >= REPEATED
  const served = lastRead(facts, '200')
  // A stray request, or a stranger, is no reason why users cannot edit.
  const everybody = repeated && Math.max(...ofCallers.map(({ at }) => at)) - (served ?? -Infinity) > QUIET
  const last =
    served === undefined
      ? 'No token was handed out since the start of the replicas'
      : `The last token was handed out at ${new Date(served).toISOString()}`
  return [
    {
      result: everybody ? 'failed' : 'warning',
      who_acts: 'ops',
      saw: `Requests are refused for their signature, within the last ${LATELY / 60_000} minutes too: ${kinds}. ${last}.`,
      todo: book('tokenbrokersignaturesrefused'),
    },
  ]
}

/** Reads that fail although no row says why. */
export function ofReads(facts: Facts, now: number): Conclusion[] {
  const { replicas } = facts
  const forbidden = replicas
    .flatMap((replica) => replica.forbidden)
    .filter(({ permission }) => permission === 'tokens:read')
    .map(({ caller }) => caller)
  const unreadable = replicas.some((replica) => replica.unreadable.length > 0)
  const kinds = [
    {
      status: '403',
      why: `${[...new Set(forbidden)].join(', ') || 'a caller'} lacks the permission tokens:read`,
      chapter: 'tokenbrokercallerforbidden',
    },
    { status: '429', why: 'a caller sends more requests than it may', chapter: 'tokenbrokerratelimited' },
    unreadable
      ? { status: '500', why: 'a stored value does not open, or there is a defect', chapter: 'tokenbrokerunreadable' }
      : { status: '500', why: 'a defect', chapter: 'tokenbrokererrors' },
  ]
  const served = lastRead(facts, '200') ?? -Infinity
  return kinds.flatMap(({ status, why, chapter }) => {
    const at = lastRead(facts, status)
    if (at === undefined || now - at >= LATELY) return []
    const none = at > served
    return [
      {
        result: none ? ('failed' as const) : ('warning' as const),
        who_acts: 'ops' as const,
        saw: `Reads of a token were answered ${status}, last at ${new Date(at).toISOString()}, ${none ? 'and none has been handed out since' : 'while others were handed out'}: ${why}.`,
        todo: book(chapter),
      },
    ]
  })
}

/** Behind what concerns many: one row that was altered keeps this until the replicas start again. */
export function ofUnreadable({ replicas }: Facts): Conclusion[] {
  const all = replicas.flatMap(({ unreadable }) => unreadable)
  if (all.length === 0) return []
  const count = all.reduce((sum, one) => sum + one.count, 0)
  const details = [...new Set(all.map(({ detail }) => detail))].join(', ')
  return [
    {
      result: 'failed',
      who_acts: 'ops',
      saw: `Stored values did not open when they were read (${details}), ${count} times since the start of the replicas. Their users get token_unreadable.`,
      todo: `token-broker doctor --user <id> of one who cannot; ${book('tokenbrokerunreadable')}`,
    },
  ]
}
