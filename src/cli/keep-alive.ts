import { readConfig } from '../config.ts'
import { checkDatabase } from '../main.ts'
import { createServices } from '../services.ts'
import { createLogger } from '../telemetry.ts'
import type { Command } from './command.ts'

/** From a terminal, and from Kubernetes where it runs as a Job. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

export const keepAliveCommand: Command = {
  name: 'keep-alive',
  summary:
    'Sweeps once, as the running service does by itself: refreshes integrations that are due, and deletes those that no caller has read for ' +
    '`LET_GO_AFTER_DAYS`. With `--dry-run` only counts them',
  usage: '[--dry-run]',
  options: { 'dry-run': { type: 'boolean' } },
  async run({ flags }, { env, out, err }) {
    const config = readConfig(env)
    // Audit lines and alerts, as from the running service; the result alone is on stdout.
    const log = createLogger(config.logLevel, { write: (line) => err(line.trimEnd()) })
    const services = createServices(config, log)
    const stop = new AbortController()
    const onSignal = (signal: NodeJS.Signals) => {
      log.info({ signal }, 'ending: what has begun is finished')
      stop.abort()
    }
    const { afterDays, letGoAfterDays } = config.keepAlive
    try {
      await checkDatabase(services)
      if (flags['dry-run'] === true) {
        const { all, due, unused, diesWithin } = await services.keepAliveStore.forecast(config.keepAlive)
        out(`integrations                                  ${all}`)
        out(`due: not refreshed for ${String(afterDays).padEnd(4)} days              ${due}`)
        out(`to be let go: not read for ${String(letGoAfterDays).padEnd(4)} days          ${unused}`)
        for (const { days, count } of diesWithin)
          out(`would die within ${String(days).padEnd(2)} days without a refresh   ${count}`)
        return 0
      }
      for (const signal of SIGNALS) process.once(signal, onSignal)
      const { renewed, failed, skipped, letGo, ended } = await services.keepAlive.sweep(stop.signal)
      out(`renewed ${renewed}, failed ${failed}, left to others ${skipped}, let go ${letGo}; ended: ${ended}`)
      return ended === 'done' ? 0 : 1
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal)
      await services.close()
    }
  },
}
