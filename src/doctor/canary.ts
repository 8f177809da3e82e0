import { FAILURES_TO_REPORT, RUN_SECONDS, type CanaryFault } from '../core/canary.ts'
import { isReason, REASONS } from '../core/failure.ts'
import type { Services } from '../services.ts'
import { failed, formatDuration, formatTime, ok, warning, type Finding } from './check.ts'

// What the canary account met in its last run. doctor runs nothing itself: the runs are those of the replicas.

/** Words of core/canary.ts and ports.ts that are no reason. */
const FAULTS: Readonly<Record<string, string>> = {
  not_connected: 'It is not connected. Log in to MEGDocs as this user, and connect the test account.',
  token_unreadable: 'Its stored token does not open. See SEALING_KEYS.',
  redirect_uri_not_registered:
    'The redirect URI is not registered. Register the one that this report names, platform Web, a slash at its end included.',
  application_not_found: 'The application does not exist. Check MICROSOFT_CLIENT_ID and MICROSOFT_TENANT.',
  application_disabled: 'The application is disabled. Enable it in the Microsoft Entra admin center.',
  tenant_not_found: 'The tenant does not exist. Check MICROSOFT_TENANT.',
}

export async function canary({ canaryStore, config }: Services): Promise<Finding> {
  const { canaryUser } = config
  if (canaryUser === undefined) return ok('No canary account is configured (CANARY_USER).')
  const state = await canaryStore.state()
  if (state === undefined || state.endedSecondsAgo === undefined)
    return warning(`The canary account "${canaryUser}" has not been tried yet.`, 'Look again in a minute.')
  const { endedSecondsAgo, failures, failingSince, faults } = state
  const when = `${formatDuration(endedSecondsAgo)} ago`
  // Twice the pause and more: a run that was lost with its replica is made up for.
  if (endedSecondsAgo > 4 * RUN_SECONDS)
    return failed(
      `The canary account "${canaryUser}" was last tried ${when}.`,
      'No replica runs it. Check that the replicas run with CANARY_USER, and look at their log.',
    )
  if (failures === 0) return ok(`The canary account "${canaryUser}" works; it was last tried ${when}.`)
  const met = faults.map(line).join('\n')
  const advice = [...new Set(faults.map(adviceOf))].join('\n')
  const facts = { faults }
  if (failures < FAILURES_TO_REPORT)
    return {
      ...warning(`The canary account "${canaryUser}" failed once, ${when}, and is tried again soon.\n${met}`, advice),
      facts,
    }
  const since = failingSince === undefined ? '' : ` since ${formatTime(Date.parse(failingSince))}`
  return {
    ...failed(`The canary account "${canaryUser}" fails${since}: ${failures} times, last ${when}.\n${met}`, advice),
    facts,
  }
}

const line = ({ step, fault, aadsts }: CanaryFault): string =>
  `${step === 'refresh' ? 'Refresh' : 'Authorize page'}: ${fault}${aadsts === undefined ? '' : ` (AADSTS${aadsts})`}.`

const adviceOf = ({ fault }: CanaryFault): string =>
  FAULTS[fault] ??
  (isReason(fault) ? REASONS[fault].advice : 'This version of doctor does not know this fault. See the log.')
