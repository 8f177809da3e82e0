import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../sandbox/database.ts'
import { supervise } from '../../sandbox/supervise.ts'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { TOOLS } from './helm.ts'

/** A real Prometheus on 127.0.0.1 that scrapes one address. */

export interface Prometheus {
  /** The values of an instant query. Throws with the message of Prometheus. */
  query(expression: string): Promise<number[]>
  close(): Promise<void>
}

/** Starts Prometheus. Resolves when it has scraped `target` (host:port) at least twice. */
export async function startPrometheus(target: string, labels: Record<string, string>): Promise<Prometheus> {
  const folder = temporaryFolder('token-broker-prometheus')
  const configuration = {
    global: { scrape_interval: '250ms', scrape_timeout: '250ms' },
    scrape_configs: [{ job_name: labels['job'], static_configs: [{ targets: [target], labels }] }],
  }
  // JSON is valid YAML.
  writeFileSync(join(folder, 'prometheus.yml'), JSON.stringify(configuration))
  const port = await freePort()
  const lines: string[] = []
  const child = await supervise(
    [
      join(TOOLS, 'prometheus'),
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    {
      env: { PATH: '/usr/bin:/bin' },
      cwd: folder,
      lastSignal: 'TERM',
      onOutput: (line) => lines.push(line),
      onError: (line) => lines.push(line),
    },
  )
  async function query(expression: string): Promise<number[]> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query: expression })}`)
    const { error, data } = (await response.json()) as {
      error?: string
      data?: { result: { value: [number, string] }[] }
    }
    if (error !== undefined) throw new Error(`${expression}: ${error}`)
    return data!.result.map(({ value }) => Number(value[1]))
  }
  const scraped = `count_over_time(up{job="${labels['job']}"}[1h])`
  while (((await query(scraped).catch(() => []))[0] ?? 0) < 2) {
    if (child.isOver()) throw new Error(lines.slice(-10).join('\n'))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    query,
    async close() {
      child.kill('SIGTERM')
      await child.ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
