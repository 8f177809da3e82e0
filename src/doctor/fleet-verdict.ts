import type { Conclusion } from './check.ts'
import { book, ofReads, ofSignatures, ofUnreadable } from './fleet-reads.ts'
import type { FleetFacts } from './fleet.ts'
import { explained } from './user.ts'

// Whose problem it most likely is when users cannot edit documents: everything that points somewhere, the likeliest first.

/** So many users of the same kind within a day are no coincidence. */
const WAVE = 5

/** `now` in milliseconds. The first is the verdict; the others are what else was seen. */
export function fleetVerdicts(facts: FleetFacts, now: number): [Conclusion, ...Conclusion[]] {
  const seen = [
    ...ofDatabase(facts),
    ...ofReplicas(facts),
    ...ofBreaker(facts),
    ...ofSealing(facts),
    ...ofSignatures(facts, now),
    ...ofReads(facts, now),
    ...ofFailures(facts),
    ...ofUnreadable(facts),
    ...ofConnects(facts),
    ...ofKeepAlive(facts),
    ...ofNobody(facts),
    ...ofNotTold(facts),
  ]
  const [first, ...others] = [
    ...seen.filter(({ result }) => result === 'failed'),
    ...seen.filter(({ result }) => result === 'warning'),
  ]
  return first === undefined ? [nothing(facts)] : [first, ...others]
}

function nothing({ refreshes }: FleetFacts): Conclusion {
  return {
    result: 'ok',
    who_acts: 'nobody',
    saw: `The broker sees no trouble${refreshes?.last_at == null ? '' : `; it last refreshed a token at ${refreshes.last_at}`}. If users cannot edit, it is MEGDocs, Graph, or one user at a time.`,
    todo: "token-broker doctor --user <id> of one who cannot; then MEGDocs' log, which has Graph's answer.",
  }
}

const CHAPTERS: Record<keyof FleetFacts['database'], string> = {
  database: 'postgres-failover',
  migrations: 'upgrade-and-rollback',
  deployment: 'another-subdomain',
  sealing_keys: 'tokenbrokerunreadable',
}

function ofDatabase({ database, gaps }: FleetFacts): Conclusion[] {
  const failing = (Object.keys(CHAPTERS) as (keyof typeof CHAPTERS)[]).filter(
    (name) => database[name].result === 'failed',
  )
  return [
    ...failing.map((name) => ({
      result: 'failed' as const,
      who_acts: 'ops' as const,
      saw: database[name].saw,
      todo: `${database[name].todo ?? ''} ${book(CHAPTERS[name])}`.trim(),
    })),
    ...(gaps.length === 0
      ? []
      : [
          {
            result: 'warning' as const,
            who_acts: 'ops' as const,
            saw: `The database did not tell all: ${gaps.join('; ')}.`,
            todo: 'Look at its load; DATABASE_DEADLINE_MS bounds each question.',
          },
        ]),
  ]
}

function ofReplicas({ replicas, replicas_told: told }: FleetFacts): Conclusion[] {
  const silent = replicas.filter(({ problem }) => problem !== null)
  const named = silent.map(({ address, problem }) => `${address} (${problem})`).join(', ')
  if (silent.length === replicas.length) {
    return told
      ? [
          {
            result: 'failed',
            who_acts: 'ops',
            saw: `No replica answers: ${named}.`,
            todo: `kubectl get pods; ${book('tokenbrokerdown')}`,
          },
        ]
      : []
  }
  const answering = replicas.filter(({ problem }) => problem === null)
  const unready = answering.filter(({ ready }) => ready !== true).map(({ address }) => address)
  const cutOff = answering
    .filter(({ database }) => database !== null && database !== 'ok')
    .map(({ address, database }) => `${address} (${database})`)
  return [
    ...(cutOff.length === 0
      ? []
      : [
          {
            result: 'failed' as const,
            who_acts: 'ops' as const,
            saw: `Postgres does not answer ${cutOff.join(', ')} as it should.`,
            todo: book('postgres-failover'),
          },
        ]),
    ...(silent.length === 0
      ? []
      : [
          {
            result: 'warning' as const,
            who_acts: 'ops' as const,
            saw: `These replicas do not answer: ${named}.`,
            todo: `kubectl get pods; ${book('tokenbrokerdown')}`,
          },
        ]),
    ...(unready.length === 0
      ? []
      : [
          {
            result: unready.length === answering.length ? ('failed' as const) : ('warning' as const),
            who_acts: 'ops' as const,
            saw: `Not ready, so that no request is sent there: ${unready.join(', ')}.`,
            todo: 'Wait, if they have just begun or are about to end; else kubectl logs.',
          },
        ]),
  ]
}

function ofBreaker({ replicas }: FleetFacts): Conclusion[] {
  const answering = replicas.filter(({ breaker }) => breaker !== null)
  const open = answering.filter(({ breaker }) => breaker!.state === 'open')
  const healing = answering.filter(({ breaker }) => breaker!.state === 'healing')
  const reasonOf = (list: typeof open): string =>
    list.find(({ breaker }) => breaker!.reason !== null)?.breaker?.reason ?? ''
  if (open.length > 0) {
    const { reason, advice, who_acts } = explained(reasonOf(open))
    const credential = reason === 'client_credential'
    return [
      {
        result: 'failed',
        who_acts,
        saw: `Nothing is sent to Microsoft by ${open.length} of ${answering.length} replicas (${reason}). Tokens that are still valid are handed out.`,
        todo: `${advice} ${credential ? `Next: token-broker doctor; ${book('client-credential')}` : `Next: token-broker doctor, which tries the way there; ${book('entra-outage')}`}`,
      },
    ]
  }
  if (healing.length === 0) return []
  return [
    {
      result: 'warning',
      who_acts: 'nobody',
      saw: `${healing.length} of ${answering.length} replicas are healing after ${reasonOf(healing) || 'trouble'}: they send to Microsoft a little at a time.`,
      todo: 'Wait a minute and look again.',
    },
  ]
}

function ofSealing({ sealed }: FleetFacts): Conclusion[] {
  const lost = sealed?.keys.filter(({ held }) => !held) ?? []
  if (lost.length === 0) return []
  const words = lost.map(({ key_id, values }) => `${values} under ${key_id || 'no key'}`).join(', ')
  return [
    {
      result: 'failed',
      who_acts: 'ops',
      saw: `Stored values that SEALING_KEYS cannot open: ${words}. Their users get token_unreadable.`,
      todo: book('tokenbrokerunreadable'),
    },
  ]
}

type Group = NonNullable<FleetFacts['failures']>['list'][number]

function ofFailures({ failures }: FleetFacts): Conclusion[] {
  const fresh = failures?.list.filter(({ last_day: count }) => count > 0) ?? []
  return [...Map.groupBy(fresh, ({ reason }) => reason)]
    .map(([, groups]) => ofReason(groups))
    .sort((a, b) => b.count - a.count)
    .map(({ verdict }) => verdict)
}

/** All groups have the same reason. */
function ofReason(groups: Group[]): { count: number; verdict: Conclusion } {
  const [{ reason, who_acts, advice, status }] = groups as [Group]
  const count = groups.reduce((sum, { last_day: n }) => sum + n, 0)
  const tenants = [...new Set(groups.map(({ tenant_id: id }) => id ?? 'not known'))]
  const codes = [...new Set(groups.flatMap(({ aadsts }) => aadsts ?? []))].map((code) => `AADSTS${code}`).join(', ')
  const where = tenants.length === 1 ? `of tenant ${tenants[0]}` : `of ${tenants.length} tenants`
  const first = groups.flatMap(({ first_at: at }) => at ?? []).sort()[0]
  const saw = `${count} ${count === 1 ? 'user' : 'users'} ${where}: ${reason}${codes === '' ? '' : ` (${codes})`}${first === undefined ? '' : `, since ${first}`}.`
  const todo = `${advice} ${book('refreshes-fail')}`
  const verdict = (
    result: Conclusion['result'],
    who: Conclusion['who_acts'],
    more = '',
  ): { count: number; verdict: Conclusion } => ({
    count,
    verdict: { result, who_acts: who, saw, todo: `${more}${todo}` },
  })
  if (who_acts === 'nobody') return verdict(status === 'reconnect_required' ? 'failed' : 'warning', 'nobody')
  if (who_acts === 'ops') return verdict('failed', 'ops')
  if (count < WAVE) return verdict('warning', who_acts)
  if (tenants.length > 1)
    return verdict(
      'failed',
      'ops',
      "Users of several organisations at once: look at the app registration and at Azure's audit log of it first. ",
    )
  return verdict(
    'failed',
    'tenant_admin',
    who_acts === 'user' ? 'So many of one organisation: its administrator has changed something. ' : '',
  )
}

function ofConnects({ connects }: FleetFacts): Conclusion[] {
  if (connects === null) return []
  const of = (ended: string): number =>
    connects.filter((one) => one.ended === ended).reduce((sum, { count }) => sum + count, 0)
  const connected = of('connected')
  const verdicts: Conclusion[] = connects.flatMap(({ ended, reason, count }) => {
    if (ended !== 'refused' || reason === null) return []
    const { who_acts, advice } = explained(reason)
    const mine = who_acts === 'ops'
    return mine || count >= WAVE
      ? [
          {
            result: mine ? ('failed' as const) : ('warning' as const),
            who_acts,
            saw: `${count} attempts to connect were refused within a day: ${reason}.`,
            todo: `${advice} ${book('a-user-cannot-connect')}`,
          },
        ]
      : []
  })
  const uncompleted = of('received') + of('completing')
  if (uncompleted >= WAVE && uncompleted > connected) {
    verdicts.push({
      result: 'failed',
      who_acts: 'ops',
      saw: `${uncompleted} users came back from Microsoft within a day and MEGDocs did not complete; ${connected} connected.`,
      todo: `COMPLETION_URL and MEGDocs' log; ${book('a-user-cannot-connect')}`,
    })
  }
  const lost = of('authorizing')
  if (lost >= WAVE && lost > connected) {
    verdicts.push({
      result: 'warning',
      who_acts: 'ops',
      saw: `${lost} users were sent to Microsoft within a day and did not come back; ${connected} connected.`,
      todo: `token-broker doctor --public, and connect yourself: Microsoft's page says what is wrong. ${book('a-user-cannot-connect')}`,
    })
  }
  return verdicts
}

function ofKeepAlive({ keep_alive: state }: FleetFacts): Conclusion[] {
  const soon = state?.dies_within.find(({ days }) => days === 7)?.count ?? 0
  return soon === 0
    ? []
    : [
        {
          result: 'warning',
          who_acts: 'ops',
          saw: `${soon} integrations die within 7 days: keep-alive is behind.`,
          todo: book('tokenbrokerkeepalivebehind'),
        },
      ]
}

function ofNobody({ integrations }: FleetFacts): Conclusion[] {
  if (integrations === null || integrations.active + integrations.reconnect_required > 0) return []
  return [
    {
      result: 'warning',
      who_acts: 'ops',
      saw: 'Nobody is connected.',
      todo: 'Good on the first day; otherwise DATABASE_URL names another database than it should.',
    },
  ]
}

/** Last: it says nothing about the trouble, only that a part was not looked at. */
function ofNotTold({ replicas, replicas_told: told }: FleetFacts): Conclusion[] {
  if (told || replicas.some(({ problem }) => problem === null)) return []
  const named = replicas.map(({ address, problem }) => `${address} (${problem})`).join(', ')
  return [
    {
      result: 'warning',
      who_acts: 'ops',
      saw: `No replica was found: ${named}. Breaker and refused signatures are not known.`,
      todo: 'Set OPERATIONS_REPLICAS, or run it where a replica runs.',
    },
  ]
}
