import { isReason, REASONS, type AnyReason } from '../core/failure.ts'

// A series that begins to exist with its first 1 has no increase: `increase()` and `rate()` do not see that first one.
// So the series of closed lists that alerts and dashboard use exist from the start, with 0.

/** A closed list of label values: a newer release may have stored a reason that this one does not know. */
export const known = (reason: AnyReason): string => (isReason(reason) ? reason : 'unknown')

/** Every value of `known()`. */
export const REASON_LABELS: readonly string[] = [...Object.keys(REASONS), 'unknown']

/** The routes whose failures an alert counts alone, so that few of them matter (alerts.yaml, slos.yaml). */
export const WATCHED_ROUTES = /^\/(?:tokens\/|connect-sessions|auth\/oauth2\/microsoft\/)/

/** Our own failures: src/http/problem.ts has no others. */
export const FAILURE_STATUSES = ['500', '503'] as const
