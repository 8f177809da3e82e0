import { Gauge, type Registry } from 'prom-client'

export interface BreakerSources {
  /** The current registration's first. */
  breakers(): { clientId: string; state: { mode: string; reason?: string } }[]
  /** Refreshes at Microsoft now, and those that wait for their turn. */
  refreshesNow(): { sent: number; waiting: number }
}

/** The gauges of docs/design.md#breaker. They are read when Prometheus asks. */
export function addBreakerGauges(sources: BreakerSources, registers: Registry[]): void {
  new Gauge({
    name: 'token_broker_breaker_open',
    help: '1 while no refresh is sent to Microsoft, 0.5 while the breaker closes again, 0 while it is closed. By reason; with a client_id it is that of an earlier registration.',
    labelNames: ['reason', 'client_id'],
    registers,
    collect() {
      this.reset()
      sources.breakers().forEach(({ clientId, state: { mode, reason = '' } }, index) => {
        const labels = index === 0 ? { reason } : { reason, client_id: clientId }
        this.set(labels, mode === 'open' ? 1 : mode === 'closed' ? 0 : 0.5)
      })
    },
  })
  new Gauge({
    name: 'token_broker_refreshes_now',
    help: 'Refreshes at Microsoft now (sent), and those that wait for their turn (waiting): a replica sends 64 at a time.',
    labelNames: ['state'],
    registers,
    collect() {
      const { sent, waiting } = sources.refreshesNow()
      this.set({ state: 'sent' }, sent)
      this.set({ state: 'waiting' }, waiting)
    },
  })
}
