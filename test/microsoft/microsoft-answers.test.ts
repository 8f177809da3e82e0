import { readFileSync } from 'node:fs'
import t from 'tap'
import { REASONS, type Actor } from '../../src/core/failure.ts'
import type { Answer } from '../../src/microsoft/answer.ts'
import { judgeAdminConsent, judgeCallback } from '../../src/microsoft/callback.ts'
import { judgeCode, judgeRefresh, type Scope } from '../../src/microsoft/verdict.ts'
import { NOW } from './support.ts'

// What Microsoft really answered, from public reports (microsoft-answers.json says which), and whom each answer sends
// to act.

interface Case {
  name: string
  where: 'token-refresh' | 'token-code' | 'callback' | 'adminconsent'
  status: number | null
  headers: Record<string, string> | null
  who_acts: string
  grant: string
  body?: string | object
  query?: string | Record<string, string>
}

const { cases } = JSON.parse(readFileSync(new URL('microsoft-answers.json', import.meta.url), 'utf8')) as {
  cases: Case[]
}
const of = (...where: Case['where'][]) => cases.filter((one) => where.includes(one.where))

/** Those that the file names may act; of two, either will do. `admin` is the organisation's administrator. */
function actors(one: Case): Actor[] {
  const found = new Set<Actor>()
  for (const [word] of one.who_acts.matchAll(/user|admin|ops|nobody/g))
    found.add(word === 'admin' ? 'tenant_admin' : (word as Actor))
  return [...found]
}

const answerOf = ({ status, headers, body }: Case): Answer => ({
  status: status ?? 0,
  headers: headers ?? {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const parametersOf = ({ query }: Case) => {
  const fields = typeof query === 'string' ? Object.fromEntries(new URLSearchParams(query)) : (query ?? {})
  const names = {
    error_subcode: 'errorSubcode',
    error_description: 'errorDescription',
    error_uri: 'errorUri',
    admin_consent: 'adminConsent',
  }
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      Object.hasOwn(names, name) ? names[name as keyof typeof names] : name,
      value,
    ]),
  )
}

t.test('every refused refresh names who must act, and what became of the authorization', async (t) => {
  for (const one of of('token-refresh')) {
    const verdict = judgeRefresh(answerOf(one), NOW)
    if (verdict.kind === 'answer') {
      t.fail(`${one.name} gave tokens`)
      continue
    }
    const { whoActs } = REASONS[verdict.reason]
    t.ok(actors(one).includes(whoActs), `${one.name}: ${verdict.reason}, ${whoActs}, and it is ${one.who_acts}`)
    const marked = verdict.kind === 'reconnect'
    if (/transient|EVERYBODY|credential/.test(one.grant)) t.notOk(marked, `${one.name}: nobody is marked`)
    if (/^(?:dead|may revive|consent missing)/.test(one.grant)) t.ok(marked, `${one.name}: marked`)
    if (/EVERYBODY/.test(one.grant)) t.match(verdict, { kind: 'misconfigured', everybody: true }, one.name)
    if (
      /may revive|sign in again/.test(one.grant) &&
      marked &&
      !/suberror":"(?:bad_token|token_expired)/.test(JSON.stringify(one.body))
    )
      t.notOk(verdict.final, `${one.name}: tried again`)
  }
})

t.test('every refused code names who must act', async (t) => {
  for (const one of of('token-code')) {
    const verdict = judgeCode(answerOf(one), NOW)
    if (verdict.kind === 'answer') t.fail(`${one.name} gave tokens`)
    else t.ok(actors(one).includes(REASONS[verdict.reason].whoActs), `${one.name}: ${verdict.reason}`)
  }
})

t.test('every error in a callback names who must act', async (t) => {
  for (const one of of('callback')) {
    const { error = '', ...rest } = parametersOf(one)
    const { reason, code, microsoft } = judgeCallback({ error, ...rest })
    const { whoActs } = REASONS[reason]
    t.ok(actors(one).includes(whoActs), `${one.name}: ${reason}, ${whoActs}, and it is ${one.who_acts}`)
    t.equal(
      code,
      whoActs === 'ops' ? 'broker_misconfigured' : whoActs === 'nobody' ? 'microsoft_unavailable' : 'connect_refused',
    )
    const number = /AADSTS(\d+)/.exec(JSON.stringify(one.query))?.[1]
    t.equal(microsoft.aadsts, number === undefined ? undefined : Number(number))
  }
})

t.test('every answer to an administrator says whether it is approved and who acts', async (t) => {
  for (const one of of('adminconsent')) {
    const result = judgeAdminConsent(parametersOf(one))
    t.equal(result.approved, one.grant === 'approved', one.name)
    if (!result.approved) t.ok(actors(one).includes(result.whoActs), `${one.name}: ${result.reason}, ${result.whoActs}`)
  }
})

t.test('on the configured path, what is not there is our configuration', async (t) => {
  const kinds = (scope: Scope) =>
    ['700016 app not in directory', '500011 resource principal not in tenant', '90002 invalid_tenant'].map((name) => {
      const verdict = judgeRefresh(answerOf(cases.find((one) => one.name === name)!), NOW, scope)
      return verdict.kind === 'answer' ? 'answer' : REASONS[verdict.reason].whoActs
    })
  t.strictSame(kinds('organisation'), ['tenant_admin', 'tenant_admin', 'tenant_admin'])
  t.strictSame(kinds('configuration'), ['ops', 'ops', 'ops'])
  t.strictSame(kinds('everybody'), ['ops', 'ops', 'ops'])
})
