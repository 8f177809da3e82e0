import type { Logger } from 'pino'
import { FAILURES_TO_REPORT, type CanaryPorts } from '../core/canary.ts'
import type { FederatedTokenState } from '../microsoft/federated-token.ts'

/** One line for each change of the file. */
export const loggingFederatedToken =
  (log: Logger) =>
  ({ problem, token }: FederatedTokenState): void => {
    const facts = { problem, ...(token && { expires_at: new Date(token.expiresAtMs).toISOString() }) }
    if (problem === undefined) log.info(facts, 'the federated token can be used again')
    else if (token === undefined)
      log.error({ alert: 'federated_token', ...facts }, 'there is no federated token: no token can be refreshed')
    else log.warn(facts, 'the file of the federated token cannot be used: the last good token is, until it expires')
  }

/** One line for each run of the canary account. */
export const loggingCanary =
  (log: Logger): CanaryPorts['observe'] =>
  (event) => {
    if (event.kind === 'broken')
      return log.warn({ err: event.err }, 'the canary account could not be tried: our own database failed')
    const { faults, failures } = event
    if (failures === 0) return log.info('the canary account works')
    if (failures < FAILURES_TO_REPORT)
      return log.warn({ faults, failures }, 'the canary account failed once and is tried again soon')
    log.error({ alert: 'canary', faults, failures }, 'the canary account fails')
  }
