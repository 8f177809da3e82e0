import t from 'tap'
import type { StoredFailure } from '../../src/core/integration.ts'
import { judgeFailure, judgeTokens } from '../../src/core/refresh-decision.ts'

const failure = (verdict: StoredFailure['verdict']): StoredFailure => ({
  verdict,
  reason: 'mfa_required',
  final: false,
  microsoft: { aadsts: 50076 },
})

t.test('new tokens of an integration that was marked for a reconnect are an event, others are not', async (t) => {
  t.strictSame(judgeTokens('reconnect_required', 7), {
    recovered: true,
    event: { type: 'recovered', detail: { generation: 7 } },
  })
  t.strictSame(judgeTokens('active', 7), { recovered: false })
})

t.test('a refusal that needs the user marks the integration, and one event reports it', async (t) => {
  t.strictSame(judgeFailure('active', failure('reconnect')), {
    status: 'reconnect_required',
    event: { type: 'reconnect_required', detail: { reason: 'mfa_required', microsoft: { aadsts: 50076 } } },
  })
  t.strictSame(judgeFailure('reconnect_required', failure('reconnect')), { status: 'reconnect_required' })
})

t.test('a passing failure and a misconfiguration leave the status and are no event', async (t) => {
  for (const status of ['active', 'reconnect_required'] as const)
    for (const verdict of ['try_later', 'misconfigured'] as const)
      t.strictSame(judgeFailure(status, failure(verdict)), { status }, `${status} ${verdict}`)
})
