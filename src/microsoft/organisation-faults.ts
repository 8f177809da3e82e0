/**
 * Tells one organisation's trouble from ours (docs/design.md#verdicts): "no such tenant" or "no such application there"
 * is the organisation's, unless several say so at once and none succeeds. Then our registration is gone. One for each
 * process.
 */
export interface OrganisationFaults {
  /** True: so many organisations report it that it is ours. */
  report(tenantId: string): boolean
  /** A refresh succeeded somewhere: our application is there. */
  succeeded(): void
}

export const ORGANISATIONS_TO_BE_OURS = 3
export const REPORT_WINDOW_MS = 600_000

/** `now` in milliseconds, monotonic. */
export function createOrganisationFaults(now: () => number): OrganisationFaults {
  const reportedAt = new Map<string, number>()
  return {
    report(tenantId) {
      for (const [known, at] of reportedAt) if (now() - at > REPORT_WINDOW_MS) reportedAt.delete(known)
      reportedAt.set(tenantId, now())
      return reportedAt.size >= ORGANISATIONS_TO_BE_OURS
    },
    succeeded: () => reportedAt.clear(),
  }
}
