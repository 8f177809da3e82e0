import { readiness, type Readiness } from './readiness.ts'
import type { Services } from './services.ts'
import type { ReplicaCounts } from './telemetry.ts'

/**
 * The body of `/status`: what one replica knows and the database does not. All counts are since `started_at` (ISO
 * 8601).
 */
export interface ReplicaStatus extends Readiness, ReplicaCounts {
  service: 'token-broker'
  /** The version of Node. */
  node: string
  started_at: string
  uptime_seconds: number
}

/** Never rejects. `doctor --fleet` reads it (doctor/replicas.ts). */
export async function replicaStatus(services: Services): Promise<ReplicaStatus> {
  const uptimeSeconds = process.uptime()
  const [state, counts] = await Promise.all([readiness(services), services.metrics.counts()])
  return {
    service: 'token-broker',
    node: process.version,
    started_at: new Date(Date.now() - uptimeSeconds * 1000).toISOString(),
    uptime_seconds: Math.floor(uptimeSeconds),
    ...state,
    ...counts,
  }
}
