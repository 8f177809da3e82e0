import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

/** Runs the real helm and promtool over the chart. It knows nothing of what the chart is for. */

export const CHART = fileURLToPath(new URL('../../helm/token-broker', import.meta.url))
export const VALUES = fileURLToPath(new URL('./values', import.meta.url))
export const TOOLS = process.env['TOKEN_BROKER_TOOLS'] ?? join(homedir(), '.cache', 'token-broker-tools')
/** Oldest that Chart.yaml takes, one between, newest. */
export const KUBERNETES = ['1.31.0', '1.34.0', '1.37.0'] as const

export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  // Objects of every kind are looked into.
  [field: string]: any
}

/** One line on what is missing and how to get it; undefined when all is there. */
export function missingTools(): string | undefined {
  const missing = ['helm', 'promtool', 'prometheus', 'schemas', 'crds'].filter((name) => !existsSync(join(TOOLS, name)))
  return missing.length === 0
    ? undefined
    : `test:chart lacks ${missing.join(', ')} in ${TOOLS}: run bash test/chart/install-tools`
}

export interface Ran {
  code: number
  out: string
  err: string
}

export function run(tool: 'helm' | 'promtool', args: readonly string[], input?: string): Ran {
  const { status, stdout, stderr, error } = spawnSync(join(TOOLS, tool), [...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    ...(input === undefined ? {} : { input }),
  })
  if (error) throw error
  return { code: status ?? 1, out: stdout, err: stderr }
}

export interface Rendering {
  /** File in test/chart/values, without its ending. */
  values: string
  release?: string
  namespace?: string
  kubernetes?: string
  /** Folder, when it is not ours as it stands. */
  chart?: string
  /** As after --set-json: `a.b=1`. */
  set?: readonly string[]
}

export function template({
  values,
  release = 'tb',
  namespace = 'megdocs',
  kubernetes = KUBERNETES[1],
  chart = CHART,
  set = [],
}: Rendering): Ran {
  return run('helm', [
    'template',
    release,
    chart,
    '--namespace',
    namespace,
    '--kube-version',
    kubernetes,
    '--values',
    join(VALUES, `${values}.yaml`),
    ...set.flatMap((one) => ['--set-json', one]),
  ])
}

export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null)
}

/** Every object that helm makes of these values. Throws with helm's own words. */
export function render(rendering: Rendering): KubernetesObject[] {
  const { code, out, err } = template(rendering)
  if (code !== 0) throw new Error(err)
  return objectsOf(out)
}
