import fc from 'fast-check'
import t from 'tap'
import { explainReason, REASONS, STORED_VERDICTS, verdictOfCode } from '../../src/core/failure.ts'
import {
  readEventDetail,
  readEventType,
  readFailure,
  readIntent,
  readOutcome,
  readSessionData,
  readSessionStatus,
} from '../../src/core/stored.ts'

const whole = {
  verdict: 'reconnect',
  reason: 'mfa_required',
  final: false,
  microsoft: {
    status: 400,
    error: 'invalid_grant',
    suberror: 'basic_action',
    aadsts: 50076,
    traceId: '11111111-0000-4000-8000-000000000000',
    correlationId: '22222222-0000-4000-8000-000000000000',
    timestamp: '2026-11-22 10:00:00Z',
  },
  claims: '{"access_token":{}}',
  at: '2026-11-22T10:00:00Z',
  since: '2026-11-21T10:00:00Z',
}

t.test('what this release writes is read as it was written, and is not reported', async (t) => {
  const report = () => t.fail('not malformed')
  t.strictSame(readFailure(whole, 'reconnect_required', report), whole)
  const account = { tenantId: 't', objectId: 'o', username: 'u', displayName: 'd' }
  const outcome = {
    result: 'refused',
    code: 'account_mismatch',
    reason: 'other_account',
    account,
    expectedAccount: account,
    microsoft: whole.microsoft,
  }
  t.strictSame(readOutcome(outcome, 'refused', report), outcome)
  t.strictSame(readOutcome({ result: 'reconnected', account }, 'connected', report), { result: 'reconnected', account })
  const detail = { reason: 'mfa_required', cause: 'unused', generation: 7, microsoft: whole.microsoft }
  t.strictSame(readEventDetail(detail, report), detail)
  t.equal(readEventType('recovered', report), 'recovered')
})

t.test('nothing stored is nothing, whether SQL or JSON says so', async (t) => {
  for (const value of [null, undefined]) {
    t.equal(readFailure(value, 'active'), undefined)
    t.equal(readOutcome(value, 'connected'), undefined)
  }
})

t.test('words of a newer release are kept, and are not reported', async (t) => {
  const report = () => t.fail('not malformed')
  t.match(readFailure({ ...whole, reason: 'a_newer_reason', more: 1 }, 'active', report), { reason: 'a_newer_reason' })
  t.match(readOutcome({ result: 'refused', code: 'a_newer_code', reason: 'a_newer_reason' }, 'refused', report), {
    code: 'connect_refused',
    reason: 'a_newer_reason',
  })
  t.equal(readEventType('a_newer_type', report), 'a_newer_type')
})

t.test('an unknown verdict is derived from the status', async (t) => {
  const newer = { ...whole, verdict: 'a_newer_verdict' }
  t.match(readFailure(newer, 'active'), { verdict: 'try_later' })
  t.match(readFailure(newer, 'reconnect_required'), { verdict: 'reconnect' })
  for (const final of [true, 'true'])
    t.match(readFailure({ ...newer, final }, 'active'), { verdict: 'reconnect', final: true })
})

t.test('only a session that is stored as connected is shown as connected', async (t) => {
  for (const outcome of [{ result: 'a_newer_result' }, {}, 'connected', ['connected']]) {
    t.match(readOutcome(outcome, 'connected'), { result: 'connected' })
    for (const status of ['refused', 'a_newer_status', 'completing'])
      t.match(readOutcome(outcome, status), { result: 'refused', code: 'connect_refused', reason: 'unknown' })
  }
})

t.test('an unknown session status is derived from outcome and time', async (t) => {
  const told = (outcome: ReturnType<typeof readOutcome>, expired: boolean) =>
    readSessionStatus('a_newer_status', { outcome, expired })
  t.equal(told({ result: 'connected' }, true), 'connected')
  t.equal(told({ result: 'refused' }, true), 'refused')
  t.equal(told(undefined, true), 'expired')
  t.equal(told(undefined, false), 'completing')
  t.equal(readSessionStatus('authorizing', { outcome: undefined, expired: true }), 'authorizing')
  t.equal(readIntent('a_newer_intent'), 'connect')
})

t.test('any JSON is read without an error, and what is shown of it has the form of a word', async () => {
  const word = /^[a-z][a-z0-9_]{0,63}$/
  const object = fc.record(
    {
      verdict: fc.oneof(fc.constantFrom(...STORED_VERDICTS), fc.jsonValue()),
      reason: fc.oneof(fc.constantFrom(...Object.keys(REASONS)), fc.jsonValue(), fc.string({ minLength: 60 })),
      final: fc.jsonValue(),
      result: fc.jsonValue(),
      code: fc.jsonValue(),
      microsoft: fc.oneof(
        fc.jsonValue(),
        fc.dictionary(fc.constantFrom(...Object.keys(whole.microsoft)), fc.jsonValue()),
      ),
      account: fc.jsonValue(),
      claims: fc.jsonValue(),
      at: fc.jsonValue(),
      generation: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(object, fc.jsonValue()), fc.constantFrom('active', 'reconnect_required'), (value, status) => {
      const failure = readFailure(value, status)
      if (failure !== undefined) {
        const { whoActs, advice } = explainReason(failure.reason, failure.verdict)
        if (!word.test(failure.reason) || advice === '' || whoActs === undefined) return false
        if (failure.final && failure.verdict !== 'reconnect') return false
      }
      const outcome = readOutcome(value, 'refused')
      if (outcome !== undefined && outcome.result === 'refused') {
        const { advice } = explainReason(outcome.reason ?? '', verdictOfCode(outcome.code))
        if (!word.test(outcome.reason ?? '') || advice === '') return false
      }
      readSessionData(value)
      const { reason, generation } = readEventDetail(value)
      return (
        (reason === undefined || word.test(reason)) && (generation === undefined || Number.isSafeInteger(generation))
      )
    }),
    { numRuns: 3_000 },
  )
})

t.test('names of Object.prototype are no reasons', async (t) => {
  for (const reason of ['constructor', 'tostring', 'valueOf', '__proto__'])
    t.match(explainReason(reason, 'try_later'), { known: false, whoActs: 'nobody' }, reason)
  t.match(explainReason('mfa_required', 'try_later'), { known: true, whoActs: 'user', advice: /extra verification/ })
  t.match(explainReason('a_newer_reason'), { known: false, whoActs: 'ops' })
})
