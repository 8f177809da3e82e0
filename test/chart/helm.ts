import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

/** Runs the real helm and promtool on the chart. Independent of the content of the chart. */

export const CHART = fileURLToPath(new URL('../../helm/token-broker', import.meta.url))
export const VALUES = fileURLToPath(new URL('./values', import.meta.url))
export const TOOLS = process.env['TOKEN_BROKER_TOOLS'] ?? join(homedir(), '.cache', 'token-broker-tools')
/** The oldest version that Chart.yaml allows, one in between, and the newest. */
export const KUBERNETES = ['1.31.0', '1.34.0', '1.37.0'] as const

export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  // Tests read objects of all kinds.
  [field: string]: any
}

/** One line that says what is missing and how to get it. Undefined if nothing is missing. */
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
  /** File in test/chart/values, without its extension. */
  values: string
  release?: string
  namespace?: string
  kubernetes?: string
  /** Folder of the chart, if not our own. */
  chart?: string
  /** As for --set-json: `a.b=1`. */
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

/** All objects that helm renders with these values. Throws with helm's message. */
export function render(rendering: Rendering): KubernetesObject[] {
  const { code, out, err } = template(rendering)
  if (code !== 0) throw new Error(err)
  return objectsOf(out)
}
