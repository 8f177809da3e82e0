/**
 * The replicas of a drill, as a runbook sees them: `kubectl` and `helm` with the arguments that docs/runbooks.md uses,
 * and no others.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { Broker } from '../sandbox/broker.ts'
import { type Deployment, expect } from './deployment.ts'
import type { Answered, StandIn } from './runbook.ts'

export interface Cluster {
  /** The replicas that run now. */
  brokers: readonly Broker[]
  scale(replicas: number): Promise<void>
  /** The internal listener of each replica in turn. */
  address(): string
  /** Stand-ins for the programs of a runbook. */
  programs: Record<string, StandIn>
}

export interface ClusterOptions {
  /** The database as its owner, called when `helm upgrade` migrates. */
  ownerUrl(): string
  nodeFlags?: readonly string[]
  /** Variables of the replicas from values.yaml. Default: none. */
  environmentOf?: (values: Values) => Record<string, string>
  /** What a changed key of a secret means for the replicas. */
  onSecret?: (name: string, values: Record<string, string>) => void
}
/** The values that the runbooks change. */
export interface Values {
  public: { baseUrl: string }
  megdocs: { connectUrl: string; manageUrl: string; completionUrl: string }
  internal?: { authorities?: string[] }
}

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
const PODS = '-n megdocs deploy/token-broker'
const done = (out: string): Answered => ({ code: 0, out })

export function openCluster(deployment: Deployment, options: ClusterOptions): Cluster {
  const { ownerUrl, nodeFlags = [], environmentOf = () => ({}), onSecret = () => {} } = options
  let turn = 0
  const start = () => deployment.start(undefined, nodeFlags)
  const cluster: Cluster = {
    brokers: [],
    async scale(replicas) {
      const gone = cluster.brokers.slice(replicas)
      cluster.brokers = cluster.brokers.slice(0, replicas)
      await Promise.all(gone.map((broker) => broker.stop()))
      const missing = Array.from({ length: replicas - cluster.brokers.length }, start)
      cluster.brokers = [...cluster.brokers, ...(await Promise.all(missing))]
    },
    address() {
      const { brokers } = cluster
      expect(brokers.length > 0, 'no replica runs')
      return brokers[turn++ % brokers.length]!.internalUrl
    },
    programs: { kubectl, helm },
  }

  /** A new replica is there before an old one ends. */
  async function roll(): Promise<void> {
    for (const old of cluster.brokers) {
      const fresh = await start()
      cluster.brokers = [...cluster.brokers.filter((broker) => broker !== old), fresh]
      await old.stop()
    }
  }

  /** A command as a pod runs it. */
  function command(args: readonly string[], more: Record<string, string> = {}): Promise<Answered> {
    const env = { PATH: '/usr/bin:/bin', ...deployment.env, ...more }
    return new Promise((resolve) => {
      execFile(process.execPath, [...nodeFlags, CLI, ...args], { env, cwd: '/' }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : 1, out: stdout + stderr }),
      )
    })
  }

  async function kubectl(args: readonly string[], input: string, folder: string): Promise<Answered> {
    const line = args.join(' ')
    const [, replicas] = new RegExp(`^scale ${PODS} --replicas=(\\d)$`).exec(line) ?? []
    if (replicas !== undefined) {
      await cluster.scale(Number(replicas))
      return done('deployment.apps/token-broker scaled')
    }
    if (line === `rollout restart ${PODS}`) {
      await roll()
      return done('deployment.apps/token-broker restarted')
    }
    if (line === `rollout status ${PODS}`)
      return cluster.brokers.length > 0 ? done('successfully rolled out') : { code: 1, out: 'there are no replicas' }
    const cli = `exec ${PODS} -- /nodejs/bin/node /app/dist/cli.js `
    if (line.startsWith(cli))
      return cluster.brokers.length > 0
        ? command(args.slice(cli.split(' ').length - 1))
        : { code: 1, out: 'error: there is no pod' }
    const [, secret, patch] = /^patch secret (\S+) -n megdocs -p (.*)$/s.exec(line) ?? []
    if (secret !== undefined) {
      const { data } = JSON.parse(patch!) as { data: Record<string, string> }
      const plain = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString().trim()])
      onSecret(secret, Object.fromEntries(plain) as Record<string, string>)
      return done(`secret/${secret} patched`)
    }
    const [, tls, cert, key] =
      /^create secret tls (\S+) -n megdocs --cert=(\S+) --key=(\S+) --dry-run=client -o yaml$/.exec(line) ?? []
    if (tls !== undefined)
      return done(JSON.stringify({ secret: tls, cert: text(folder, cert!), key: text(folder, key!) }))
    if (line === 'apply -f -') {
      const files = JSON.parse(input) as { secret: string; cert: string; key: string }
      writeFileSync(deployment.env['INTERNAL_TLS_KEY_FILE']!, files.key)
      writeFileSync(deployment.env['INTERNAL_TLS_CERT_FILE']!, files.cert)
      return done(`secret/${files.secret} configured`)
    }
    return { code: 1, out: `the drill knows no "kubectl ${line}"` }
  }

  async function helm(args: readonly string[], _input: string, folder: string): Promise<Answered> {
    const line = args.join(' ')
    if (line !== 'upgrade token-broker helm/token-broker -n megdocs -f values.yaml')
      return { code: 1, out: `the drill knows no "helm ${line}"` }
    const migrated = await command(['migrate'], { DATABASE_MIGRATION_URL: ownerUrl() })
    if (migrated.code !== 0) return migrated
    const values = join(folder, 'values.yaml')
    if (existsSync(values)) {
      Object.assign(deployment.env, environmentOf(parse(readFileSync(values, 'utf8')) as Values))
      await roll()
    }
    return done(`${migrated.out}\nRelease "token-broker" has been upgraded.`)
  }
  return cluster
}

const text = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8')
