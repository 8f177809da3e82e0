import type { RefreshEvent } from '../core/refresh-event.ts'
import type { Logger } from 'pino'

/** Facts of core under the names that the whole log uses: `user_id` for `userId`. */
export const inLog = (facts: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  )

/** One line for each event that matters to ops. */
export function logRefresh(log: Pick<Logger, 'info' | 'warn' | 'error'>, event: RefreshEvent): void {
  const { kind, ...rest } = event
  const facts = inLog(rest)
  if (kind === 'sent') log[event.outcome === 'tokens' ? 'info' : 'warn'](facts, 'refreshed at Microsoft')
  else if (kind === 'save_given_up') log.error(facts, 'refreshed tokens were never saved')
  else if (kind === 'false_reconnect')
    log.error(facts, 'an integration was marked for a reconnect by mistake; it works again')
  else if (kind === 'save_failed') log.error(facts, 'refreshed tokens could not be saved, trying again')
  else if (kind === 'forced' && event.result === 'not_satisfied')
    log.warn({ refresh: kind, ...facts }, 'callers force too many refreshes of a user: nothing was sent')
  else if (kind === 'recovered' || kind === 'lease_taken_over' || kind === 'discarded')
    log.info({ refresh: kind, ...facts }, 'refresh')
}
