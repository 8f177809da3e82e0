import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'

/** Runs the real helm, kubeconform and promtool over the chart. It knows nothing of what the chart is for. */

export const CHART = fileURLToPath(new URL('../../helm/token-broker', import.meta.url))
export const VALUES = fileURLToPath(new URL('./values', import.meta.url))
const TOOLS = process.env['TOKEN_BROKER_TOOLS'] ?? join(homedir(), '.cache', 'token-broker-tools')
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
  const missing = ['helm', 'kubeconform', 'promtool', 'schemas', 'crds'].filter((name) => !existsSync(join(TOOLS, name)))
  return missing.length === 0 ? undefined : `test:chart lacks ${missing.join(', ')} in ${TOOLS}: run bash test/chart/install-tools`
}

export interface Ran {
  code: number
  out: string
  err: string
}

export function run(tool: 'helm' | 'kubeconform' | 'promtool', args: readonly string[], input?: string): Ran {
  const { status, stdout, stderr, error } = spawnSync(join(TOOLS, tool), [...args], { encoding: 'utf8', maxBuffer: 2 ** 26, ...(input === undefined ? {} : { input }) })
  if (error) throw error
  return { code: status ?? 1, out: stdout, err: stderr }
}

export interface Rendering {
  /** File in test/chart/values, without its ending. */
  values: string
  release?: string
  namespace?: string
  kubernetes?: string
  /** As after --set-json: `a.b=1`. */
  set?: readonly string[]
}

export function template({ values, release = 'tb', namespace = 'megdocs', kubernetes = KUBERNETES[1], set = [] }: Rendering): Ran {
  return run('helm', ['template', release, CHART, '--namespace', namespace, '--kube-version', kubernetes, '--values', join(VALUES, `${values}.yaml`), ...set.flatMap((one) => ['--set-json', one])])
}

export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject | null).filter((object) => object !== null)
}

/** Every object that helm makes of these values. Throws with helm's own words. */
export function render(rendering: Rendering): KubernetesObject[] {
  const { code, out, err } = template(rendering)
  if (code !== 0) throw new Error(err)
  return objectsOf(out)
}

/** Problems of rendered objects with the schemas of a Kubernetes version, one line each; nothing may be without a schema. */
export function schemaProblems(manifests: string, kubernetes: string): string[] {
  const { out, err } = run('kubeconform', ['-strict', '-output', 'json', '-kubernetes-version', kubernetes,
    '-schema-location', `${TOOLS}/schemas/{{ .NormalizedKubernetesVersion }}-local-strict/{{ .ResourceKind }}{{ .KindSuffix }}.json`,
    '-schema-location', `${operatorSchemas()}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json`, '-'], manifests)
  if (out === '') return [err]
  const { resources = [] } = JSON.parse(out) as { resources?: { kind: string; name: string; status: string; msg: string }[] }
  return resources.filter(({ status }) => status !== 'statusValid').map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`)
}

/** The Prometheus operator's own definitions, as schemas that allow nothing else. */
function operatorSchemas(): string {
  const folder = join(TOOLS, 'crd-schemas')
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(join(TOOLS, 'crds'))) {
    const { spec } = parse(readFileSync(join(TOOLS, 'crds', file), 'utf8')) as { spec: { names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: unknown } }[] } }
    for (const { name, schema } of spec.versions) {
      const path = join(folder, `${spec.names.kind.toLowerCase()}_${name}.json`)
      if (!existsSync(path)) writeFileSync(path, JSON.stringify(closed(schema.openAPIV3Schema)))
    }
  }
  return folder
}

function closed(node: any, root = true): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map((one) => closed(one, false))
  const copy = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value, false)]))
  const open = root || copy['additionalProperties'] !== undefined || copy['x-kubernetes-preserve-unknown-fields'] === true
  if (copy['x-kubernetes-int-or-string'] === true) delete copy['type']
  // What every object has, but is not described.
  if (root) copy['properties'] = { ...copy['properties'] as object, metadata: { type: 'object' } }
  return copy['type'] === 'object' && typeof copy['properties'] === 'object' && !open ? { ...copy, additionalProperties: false } : copy
}
