import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'

/** kubectl and helm inside the cluster that `test/cluster/run` has started. */

export const STATE = process.env['CLUSTER_STATE'] ?? ''
export const NAMESPACE = 'megdocs'

export interface Ran {
  code: number
  /** Standard output and standard error, as a terminal shows them. */
  text: string
}

/** Runs a command and resolves with its outcome, also if it fails. `input`: its standard input. */
export async function attempt(command: string, args: readonly string[], input?: string, cwd?: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...(cwd === undefined ? {} : { cwd }) })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, text: Buffer.concat(chunks).toString() }))
    child.stdin.end(input ?? '')
  })
}

/** Standard output of a command. Throws with everything that it printed if it fails. */
export async function run(command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 2 ** 26 })
    return stdout.trim()
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error })
  }
}

export const kubectl = (...args: string[]): Promise<string> => run('kubectl', '--namespace', NAMESPACE, ...args)
export const helm = (...args: string[]): Promise<Ran> => attempt('helm', [...args, '--namespace', NAMESPACE])

/** As `kubectl get … --output json`. */
export async function read<T>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl('get', ...args, '--output', 'json')) as T
}

/** Creates or replaces objects; each names its namespace. */
export async function apply(...objects: object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })
  const { code, text } = await attempt('kubectl', ['apply', '--filename', '-'], list)
  if (code !== 0) throw new Error(text)
}

/** Asks again until the answer is not undefined. Throws with `what` after `seconds`. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, seconds = 90): Promise<T> {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

/** Exactly what Pod Security `restricted` requires of a pod. */
export const RESTRICTED = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  runAsUser: 65532,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}

/** A pod that runs a script with the Node of the broker's image. `files`: mounted as /script. */
export function scriptPod(
  name: string,
  image: string,
  options: {
    script: string
    namespace?: string
    labels?: Record<string, string>
    files?: Record<string, string>
    env?: Record<string, string>
  },
): object[] {
  const metadata = { name, namespace: options.namespace ?? NAMESPACE }
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { ...options.files, 'main.mjs': options.script } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, labels: options.labels ?? {} },
      spec: {
        restartPolicy: 'Never',
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        containers: [
          {
            name: 'script',
            image,
            command: ['/nodejs/bin/node', '/script/main.mjs'],
            env: Object.entries(options.env ?? {}).map(([key, value]) => ({ name: key, value })),
            securityContext: RESTRICTED,
            volumeMounts: [{ name: 'script', mountPath: '/script' }],
          },
        ],
        volumes: [{ name: 'script', configMap: { name } }],
      },
    },
  ]
}
