import { readConfig } from '../config.ts'
import { recordCommand } from '../db/audit-entries.ts'
import { checkDatabase } from '../main.ts'
import { createServices } from '../services.ts'
import { createLogger, createLogOutput } from '../telemetry.ts'
import type { Command } from './command.ts'

/** SIGINT comes from a terminal, SIGTERM from Kubernetes, where this may run as a Job. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const

export const keepAliveCommand: Command = {
  name: 'keep-alive',
  summary:
    'One sweep of keep-alive, which the running service also makes regularly. Counts the integrations that are due and those that no ' +
    'caller has read for `LET_GO_AFTER_DAYS`. With `--apply` it refreshes the former and deletes the latter',
  usage: '[--apply]',
  options: { apply: { type: 'boolean' } },
  async run({ flags }, { env, out, err }) {
    const config = readConfig(env)
    // The log has the same audit lines and alerts as that of the service. Only the result goes to stdout.
    const logOutput = createLogOutput({
      writeSync(bytes) {
        for (const line of bytes.toString().trimEnd().split('\n')) err(line)
        return bytes.length
      },
      elapsed: () => performance.now(),
    })
    const log = createLogger(config.logLevel, logOutput)
    const services = createServices(config, log, { logOutput })
    const stop = new AbortController()
    const onSignal = (signal: NodeJS.Signals) => {
      log.info({ signal }, 'stopping after the refreshes that are running')
      stop.abort()
    }
    const { afterDays, letGoAfterDays } = config.keepAlive
    try {
      await checkDatabase(services)
      if (flags['apply'] !== true) {
        const { all, due, unused, diesWithin } = await services.keepAliveStore.forecast(config.keepAlive)
        out(`integrations                                   ${all}`)
        out(`due: not refreshed for ${String(afterDays).padEnd(4)} days               ${due}`)
        out(`to be deleted: not read for ${String(letGoAfterDays).padEnd(4)} days          ${unused}`)
        for (const { days, count } of diesWithin)
          out(`expire within ${String(days).padEnd(2)} days without a refresh       ${count}`)
        out('Dry run: nothing was changed. Use --apply to refresh and delete.')
        return 0
      }
      for (const signal of SIGNALS) process.once(signal, onSignal)
      const { renewed, failed, skipped, letGo, ended } = await services.keepAlive.sweep(stop.signal)
      await recordCommand(services.database, 'keep-alive', { renewed, failed, skipped, deleted: letGo })
      out(`refreshed ${renewed}, failed ${failed}, skipped ${skipped}, deleted ${letGo}; ended: ${ended}`)
      return ended === 'done' ? 0 : 1
    } finally {
      for (const signal of SIGNALS) process.off(signal, onSignal)
      await services.close()
      logOutput.flush()
    }
  },
}
