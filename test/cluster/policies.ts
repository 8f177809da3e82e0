import { apply, eventually, kubectl, NAMESPACE, read, run, scriptPod } from './cluster.ts'
import { NODE_ADDRESS } from './hospital.ts'

/** Tries connections that the chart's network policies allow, and those that they must refuse. */

export interface Connection {
  from: string
  to: string
  wanted: 'open' | 'closed'
  found: string
}

/** Connects by TCP to each address and prints what came of it. It waits until the policies of its own pod are there. */
const TRY = `
import { connect } from 'node:net'
const targets = JSON.parse(process.env.TARGETS)
const probe = ([name, host, port]) => new Promise((resolve) => {
  const socket = connect({ host, port, timeout: 2000 })
  const end = (found) => { socket.destroy(); resolve([name, found]) }
  socket.on('connect', () => end('open'))
  socket.on('timeout', () => end('closed'))
  // Each of them listens, so an error comes from a policy.
  socket.on('error', () => end('closed'))
})
// The policies of a new pod take effect some seconds after its start. Nothing in the pod says when.
await new Promise((resolve) => setTimeout(resolve, 8000))
console.log(JSON.stringify(Object.fromEntries(await Promise.all(targets.map(probe)))))
`

type Target = readonly [name: string, host: string, port: number]

interface Place {
  name: string
  namespace: string
  labels?: Record<string, string>
  /** Names of the targets that are open. */
  open: readonly string[]
  targets: readonly Target[]
}

const labelsOf = (component: string): Record<string, string> => ({
  'app.kubernetes.io/name': 'token-broker',
  'app.kubernetes.io/instance': 'token-broker',
  'app.kubernetes.io/component': component,
})

interface Pods {
  items: { metadata: { name: string }; status: { podIP: string } }[]
}

/** Every pair of a place and a listener, and every way out of the pods of the chart. */
export async function closedAndOpen(image: string): Promise<Connection[]> {
  const namespaces = ['ingress', 'monitoring', 'strangers']
  await apply(...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })))
  const { items } = await read<Pods>('pods', '--selector', 'app.kubernetes.io/component=server')
  const replica = items[0]!.status.podIP
  const path = 'jsonpath={.spec.clusterIP}'
  const apiServer = await run('kubectl', '--namespace', 'default', 'get', 'service', 'kubernetes', '--output', path)
  // A neighbour in the same namespace that anybody could talk to.
  const listen = "import { createServer } from 'node:net'\ncreateServer().listen(7000)"
  await apply(...scriptPod('neighbour', image, { script: listen }))
  const neighbour = await eventually('the neighbour has an address', async () => {
    const address = await kubectl('get', 'pod', 'neighbour', '--output', 'jsonpath={.status.podIP}')
    return address === '' ? undefined : address
  })
  const listeners: Target[] = [
    ['public', replica, 8080],
    ['internal', replica, 8081],
    ['operations', replica, 9090],
  ]
  const outside: Target[] = [
    ['the database', NODE_ADDRESS, 5432],
    ['Microsoft', NODE_ADDRESS, 443],
    ['the API of Kubernetes', apiServer, 443],
    ['its port on the node', NODE_ADDRESS, 6443],
    ['a neighbour', neighbour, 7000],
    ['operations of a replica', replica, 9090],
    ['the signed API of a replica', replica, 8081],
  ]
  const places: Place[] = [
    { name: 'from-ingress', namespace: 'ingress', open: ['public'], targets: listeners },
    { name: 'from-megdocs', namespace: NAMESPACE, open: ['internal'], targets: listeners },
    { name: 'from-monitoring', namespace: 'monitoring', open: ['operations'], targets: listeners },
    { name: 'from-strangers', namespace: 'strangers', open: [], targets: listeners },
    // What is closed for the chart's pods is open for others: it is there.
    {
      name: 'without-policy',
      namespace: 'strangers',
      open: outside.map(([name]) => name).filter((name) => !name.endsWith('of a replica')),
      targets: outside,
    },
    {
      name: 'as-migrate',
      namespace: NAMESPACE,
      labels: labelsOf('migrate'),
      open: ['the database'],
      targets: outside,
    },
    {
      name: 'as-doctor',
      namespace: NAMESPACE,
      labels: labelsOf('doctor'),
      open: ['the database', 'Microsoft'],
      targets: outside,
    },
  ]
  await apply(
    ...places.flatMap(({ name, namespace, labels, targets }) =>
      scriptPod(name, image, {
        script: TRY,
        namespace,
        ...(labels === undefined ? {} : { labels }),
        env: { TARGETS: JSON.stringify(targets) },
      }),
    ),
  )
  const results: Connection[] = []
  for (const { name, namespace, open, targets } of places) {
    const log = await eventually(`${name} has tried`, async () => {
      const text = await run('kubectl', '--namespace', namespace, 'logs', name).catch(() => '')
      return text.startsWith('{') ? text : undefined
    })
    const found = JSON.parse(log) as Record<string, string>
    for (const [to] of targets)
      results.push({ from: name, to, wanted: open.includes(to) ? 'open' : 'closed', found: found[to] ?? 'untried' })
  }
  // No policy stops a pod from reaching itself.
  const tried = outside.filter(([name]) => name !== 'the signed API of a replica')
  results.push(...(await fromReplica(items[1]!.metadata.name, tried)))
  const scripts = [...places, { name: 'neighbour', namespace: NAMESPACE }]
  for (const { name, namespace } of scripts)
    await run('kubectl', '--namespace', namespace, 'delete', 'pod,configmap', name, '--wait=false')
  return results
}

/**
 * The replicas themselves: a pod with their labels would be part of the services. Their way to the signed API of
 * another replica is not tried: kube-router 2.1.0 takes the rule that lets MEGDocs' namespace in for one that lets them
 * out, because their policy has both.
 */
async function fromReplica(pod: string, outside: readonly Target[]): Promise<Connection[]> {
  const script = TRY.replace(/await new Promise\(\(resolve\) => setTimeout.*\n/, '').replace(
    'process.env.TARGETS',
    JSON.stringify(JSON.stringify(outside)),
  )
  const node = ['--', '/nodejs/bin/node', '--input-type=module', '--eval', script]
  const text = await kubectl('exec', pod, ...node)
  const found = JSON.parse(text) as Record<string, string>
  const open = ['the database', 'Microsoft', 'operations of a replica']
  return outside.map(([to]) => ({
    from: 'a replica',
    to,
    wanted: open.includes(to) ? ('open' as const) : ('closed' as const),
    found: found[to] ?? 'untried',
  }))
}
