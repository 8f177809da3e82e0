import { Gauge, type Registry } from 'prom-client'
import { FAILURES_TO_REPORT, type CanaryState } from '../core/canary.ts'
import { FEDERATED_TOKEN_PROBLEMS, type FederatedTokenState } from '../microsoft/federated-token.ts'
import { atMostEvery } from './at-most-every.ts'

export interface MicrosoftMetricSources {
  /** Milliseconds, monotonic. */
  elapsed(): number
  /** Reads the file of the federated token. Undefined: the credential is another one. */
  federatedToken(): Promise<FederatedTokenState | undefined>
  /** Rejects if the database does not answer. Undefined: there is no canary account, or no run yet. */
  canary(): Promise<CanaryState | undefined>
}

/** How long the state of the token file is used again: both of its metrics are of one reading. */
const FEDERATED_TOKEN_MS = 1_000
/** How long the state of the canary account is used again. */
const CANARY_MS = 15_000

/** The federated token and the canary account. */
export function addMicrosoftMetrics(registry: Registry, sources: MicrosoftMetricSources): void {
  const registers = [registry]
  const federatedNow = atMostEvery(FEDERATED_TOKEN_MS, sources.elapsed, sources.federatedToken)
  new Gauge({
    name: 'token_broker_federated_token_problem',
    help: '1 while the file of the federated token cannot be used, by problem; then the last good token is used until it expires.',
    labelNames: ['problem'],
    registers,
    async collect() {
      const state = await federatedNow()
      this.reset()
      for (const problem of state === undefined ? [] : FEDERATED_TOKEN_PROBLEMS)
        this.set({ problem }, Number(problem === state?.problem))
    },
  })
  const federatedExpiry = new Gauge({
    name: 'token_broker_federated_token_expiry_timestamp_seconds',
    help: 'When the federated token that is used expires, in seconds since the epoch; 0 if there is none.',
    registers,
    async collect() {
      const state = await federatedNow()
      if (state === undefined) federatedExpiry.remove()
      else federatedExpiry.set((state.token?.expiresAtMs ?? 0) / 1000)
    },
  })
  const canaryNow = atMostEvery(CANARY_MS, sources.elapsed, sources.canary)
  new Gauge({
    name: 'token_broker_canary_failing',
    help: '1 for each fault that the canary account meets, after two runs in a row that failed: by step (refresh, authorize_page) and fault.',
    labelNames: ['step', 'fault'],
    registers,
    async collect() {
      const state = await canaryNow().catch(() => undefined)
      this.reset()
      if (state === undefined || state.failures < FAILURES_TO_REPORT) return
      for (const { step, fault } of state.faults) this.set({ step, fault }, 1)
    },
  })
  const canaryLastRun = new Gauge({
    name: 'token_broker_canary_last_run_timestamp_seconds',
    help: 'When a run of the canary account last ended, in seconds since the epoch. Absent: there is no canary account, or no run.',
    registers,
    async collect() {
      const state = await canaryNow().catch(() => undefined)
      if (state?.endedSecondsAgo === undefined) canaryLastRun.remove()
      else canaryLastRun.set(Date.now() / 1000 - state.endedSecondsAgo)
    },
  })
}
