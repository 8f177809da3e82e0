import type { MetricSources } from '../../src/telemetry/metrics.ts'

/** Of a replica that has nothing yet, for tests that only want the names of the metrics. */
export const NO_SOURCES: MetricSources = {
  elapsed: () => 0,
  breakers: () => [{ clientId: '', state: { mode: 'closed' } }],
  refreshesNow: () => ({ sent: 0, waiting: 0 }),
  callerKeys: () => [],
  noncesRemembered: () => 0,
  sealingKeyIds: () => [],
  refusedChanges: () => [],
  certificates: () => ({ microsoft: undefined, microsoft_previous: undefined, internal: undefined }),
  federatedToken: async () => undefined,
  databaseProblems: () => [],
  databasePools: () => [],
  logOutput: { state: () => 'open', dropped: () => 0 },
  integrationCounts: async () => [],
  freezes: async () => [],
  keyUse: () => [],
  canary: async () => undefined,
}
