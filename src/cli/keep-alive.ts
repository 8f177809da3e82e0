import { readConfig } from '../config.ts'
import { checkDatabase } from '../main.ts'
import { createServices } from '../services.ts'
import { createLogger } from '../telemetry.ts'
import type { Command } from './command.ts'

export const keepAliveCommand: Command = {
  name: 'keep-alive',
  summary: 'Sweeps once over integrations that are due for a refresh, as the running service does by itself; with `--dry-run` only counts them',
  usage: '[--dry-run]',
  options: { 'dry-run': { type: 'boolean' } },
  async run({ flags }, { env, out }) {
    const config = readConfig(env)
    const services = createServices(config, createLogger('silent'))
    const { afterDays, letGoAfterDays } = config.keepAlive
    try {
      await checkDatabase(services)
      if (flags['dry-run'] === true) {
        const { all, due, unused, diesWithin } = await services.keepAliveStore.forecast(config.keepAlive)
        out(`integrations                                  ${all}`)
        out(`due: not refreshed for ${String(afterDays).padEnd(4)} days              ${due}`)
        out(`to be let go: not read for ${String(letGoAfterDays).padEnd(4)} days          ${unused}`)
        for (const { days, count } of diesWithin) out(`would die within ${String(days).padEnd(2)} days without a refresh   ${count}`)
        return 0
      }
      const stop = new AbortController()
      process.once('SIGINT', () => stop.abort())
      const { renewed, failed, skipped, letGo, ended } = await services.keepAlive.sweep(stop.signal)
      out(`renewed ${renewed}, failed ${failed}, left to others ${skipped}, let go ${letGo}; ended: ${ended}`)
      return ended === 'done' ? 0 : 1
    } finally {
      await services.close()
    }
  },
}
