import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { ruleGroups } from '../guides/rules.ts'
import { CHART, KUBERNETES, type KubernetesObject, missingTools, objectsOf, render, run, template } from './helm.ts'

// npm run test:chart, second part: what operators bring to the chart (labels, policies, Argo CD, Flux, OpenShift, IPv6,
// umbrella charts), rendered and checked against the schemas of Kubernetes. test/cluster runs what a cluster can run.

const missing = missingTools()
if (missing !== undefined) throw new Error(missing)
const { schemaProblems } = await import('./schemas.ts')

const find = (objects: KubernetesObject[], kind: string, name = /./): KubernetesObject => {
  const found = objects.filter((object) => object.kind === kind && name.test(object.metadata.name))
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`)
  return found[0]!
}

t.test('every object has the namespace, and the labels and annotations of the operator', async (t) => {
  // Extra manifests are as their owner wrote them.
  const objects = render({ values: 'most', set: ['extraManifests=[]'] })
  for (const { kind, metadata } of objects) {
    t.match(metadata, { namespace: 'megdocs', labels: { 'example.com/owner': 'hospital' } }, kind)
    t.match(metadata, { annotations: { 'example.com/ticket': 'OPS-1' } }, kind)
  }
  t.match(find(objects, 'Deployment').metadata.annotations, { 'reloader.stakater.com/auto': 'true' })
  t.match(find(objects, 'ServiceAccount').metadata.annotations, { 'example.com/account': 'yes' })
  for (const service of objects.filter(({ kind }) => kind === 'Service'))
    t.match(service.metadata.annotations, { 'example.com/service': 'yes' })
  const job = find(objects, 'Job')
  const pods = [
    find(objects, 'Deployment')['spec'].template.metadata,
    job['spec'].template.metadata,
    find(objects, 'Pod').metadata,
  ]
  for (const metadata of pods)
    t.match(metadata, {
      labels: { 'example.com/team': 'megdocs', 'example.com/owner': 'hospital' },
      annotations: { 'example.com/team': 'megdocs' },
    })
  t.match(job['spec'].template.metadata, {
    labels: { 'example.com/part': 'migration' },
    annotations: { 'sidecar.istio.io/inject': 'false' },
  })
  t.match(job.metadata.annotations, {
    'helm.sh/hook': 'pre-install,pre-upgrade',
    'helm.sh/hook-output-log-policy': 'hook-failed',
  })
  t.match(job['spec'].template.spec.containers[0].env.at(-1), { name: 'DATABASE_SERVING_ROLE', value: 'token_broker' })
})

t.test('names that YAML reads as numbers or words stay text', async (t) => {
  for (const name of ['1e3', 'true']) {
    const objects = render({
      values: 'most',
      release: name,
      namespace: name,
      set: [`fullnameOverride="${name}"`, `nameOverride="${name}"`, `priorityClassName="${name}"`],
    })
    t.same(schemaProblems(objects, KUBERNETES[1]), [], name)
  }
})

t.test('a revision of the secrets may be a number, also a long one', async (t) => {
  const revision = (set: string) =>
    find(render({ values: 'least', set: [`secrets.revision=${set}`] }), 'Deployment')['spec'].template.metadata
      .annotations['token-broker/secrets-revision']
  t.equal(revision('2'), '2')
  t.equal(revision('20261128'), '20261128')
  t.equal(revision('"2026-11-28"'), '2026-11-28')
  t.equal(revision('""'), undefined)
})

t.test('the listeners have the address of the values, and the names include the short one', async (t) => {
  const config = (values: string) => find(render({ values }), 'ConfigMap', /-config$/)['data'] as Record<string, string>
  t.match(config('least'), { PUBLIC_LISTEN: '0.0.0.0:8080', OPERATIONS_LISTEN: '0.0.0.0:9090' })
  t.match(config('ipv6'), { PUBLIC_LISTEN: '[::]:8080', INTERNAL_LISTEN: '[::]:8081', OPERATIONS_LISTEN: '[::]:9090' })
  t.match(config('ipv6'), { INTERNAL_AUTHORITIES: /,tb-token-broker-internal:8081,\[fd00:10::7\]:8081$/ })
  const twice = render({ values: 'least', set: ['internal.authorities=["tb-token-broker-internal:8081"]'] })
  t.match(find(twice, 'ConfigMap', /-config$/)['data'], { INTERNAL_AUTHORITIES: /^([^,]+,){3}[^,]+$/ }, 'once')
})

t.test('egress reaches Microsoft by IPv4 and IPv6, and the DNS of OpenShift and NodeLocal DNSCache', async (t) => {
  const { egress } = find(render({ values: 'least' }), 'NetworkPolicy', /broker$/)['spec'] as {
    egress: { to: object[]; ports: { protocol: string; port: number }[] }[]
  }
  const [dns, , microsoft] = egress
  t.same(
    dns!.ports.map(({ protocol, port }) => `${protocol} ${port}`),
    ['UDP 53', 'TCP 53', 'UDP 5353', 'TCP 5353'],
  )
  t.match(JSON.stringify(dns!.to), /kube-system.*openshift-dns.*169\.254\.20\.10\/32/)
  t.match(microsoft!.to, [
    { ipBlock: { cidr: '0.0.0.0/0', except: Array } },
    { ipBlock: { cidr: '::/0', except: ['fc00::/7', 'fe80::/10'] } },
  ])
})

t.test('pods are spread over the labels that the operator names', async (t) => {
  const keys = (values: string, set: string[] = []) =>
    (
      find(render({ values, set }), 'Deployment')['spec'].template.spec.topologySpreadConstraints as
        { topologyKey: string; whenUnsatisfiable: string }[] | undefined
    )?.map(({ topologyKey, whenUnsatisfiable }) => [topologyKey, whenUnsatisfiable])
  t.same(keys('most'), [['kubernetes.io/hostname', 'DoNotSchedule']])
  t.equal(keys('least')?.length, 2)
  t.equal(keys('least', ['topologyKeys=[]']), undefined)
})

t.test('OpenShift chooses the user ids', async (t) => {
  const objects = render({ values: 'openshift' })
  for (const spec of [
    find(objects, 'Deployment')['spec'].template.spec,
    find(objects, 'Job')['spec'].template.spec,
    find(objects, 'Pod')['spec'],
  ])
    t.strictSame(spec.securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
})

t.test('a chart around it may switch it off, and give it global values', async (t) => {
  const folder = temporaryFolder('token-broker-umbrella')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'charts'))
  cpSync(CHART, join(folder, 'charts/token-broker'), { recursive: true })
  const { version } = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { version: string }
  const dependency = { name: 'token-broker', version, condition: 'token-broker.enabled' }
  const chart = { apiVersion: 'v2', name: 'hospital', version: '1.0.0', dependencies: [dependency] }
  writeFileSync(join(folder, 'Chart.yaml'), stringify(chart))
  const least = parse(readFileSync(join(import.meta.dirname, 'values/least.yaml'), 'utf8')) as object
  for (const enabled of [true, false]) {
    const values = { global: { region: 'eu' }, 'token-broker': { ...least, enabled } }
    writeFileSync(join(folder, 'values.yaml'), stringify(values))
    const { code, out, err } = run('helm', ['template', 'tb', folder, '--kube-version', KUBERNETES[1]])
    t.equal(code, 0, err)
    const objects = objectsOf(out)
    t.equal(objects.length > 0, enabled)
    t.same(schemaProblems(objects, KUBERNETES[1]), [])
  }
})

/** The values in a block of the README: those of an Argo CD application, of a Flux release, or plain ones. */
function valuesIn(block: string): object | undefined {
  const found = parse(block) as {
    kind?: string
    spec?: { values?: object; source?: { helm?: { valuesObject?: object } } }
  }
  if (found.kind === undefined) return found
  return found.spec?.values ?? found.spec?.source?.helm?.valuesObject
}

t.test('all values in the README are accepted beside its minimum, in all versions of Kubernetes', async (t) => {
  const folder = temporaryFolder('token-broker-readme')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const readme = readFileSync(join(CHART, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/^( *)```yaml\n([^]*?)^ *```/gm)].map(([, indent = '', text = '']) =>
    text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  )
  t.ok(blocks.length >= 8)
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const minimum = file('minimum.yaml', blocks[0]!)
  for (const block of blocks) {
    const more = file('more.yaml', stringify(valuesIn(block)))
    const flags = ['--kube-version', KUBERNETES[1], '--namespace', 'megdocs', '--values', minimum, '--values', more]
    const { code, out, err } = run('helm', ['template', 'token-broker', CHART, ...flags])
    t.equal(code, 0, err)
    const objects = objectsOf(out).filter(({ apiVersion }) => !apiVersion.startsWith('external-secrets.io/'))
    for (const kubernetes of KUBERNETES) t.same(schemaProblems(objects, kubernetes), [], block.split('\n')[0] ?? '')
  }
})

t.test('an external secret of the README comes before the job that needs it', async (t) => {
  const readme = readFileSync(join(CHART, 'README.md'), 'utf8')
  const [, block = ''] = /```yaml\n(extraManifests:\n[^]*?)```/.exec(readme) ?? []
  const { extraManifests } = parse(block) as { extraManifests: { metadata: { annotations: Record<string, string> } }[] }
  const weight = (annotations: Record<string, string> = {}) => Number(annotations['helm.sh/hook-weight'])
  const job = find(render({ values: 'least' }), 'Job')
  t.ok(weight(extraManifests[0]!.metadata.annotations) < weight(job.metadata.annotations))
  t.equal(extraManifests[0]!.metadata.annotations['helm.sh/hook'], job.metadata.annotations?.['helm.sh/hook'])
})

t.test('without a cluster the number of replicas is left out with autoscaling, and there otherwise', async (t) => {
  t.equal(find(render({ values: 'most' }), 'Deployment')['spec'].replicas, undefined)
  t.equal(find(render({ values: 'least' }), 'Deployment')['spec'].replicas, 3)
  t.equal(template({ values: 'most' }).out, template({ values: 'most' }).out, 'two renderings are equal')
})

t.test('the rules for a Prometheus without Kubernetes are those of the chart', async (t) => {
  const { groups } = find(render({ values: 'most', set: ['prometheusRule.runbookUrl=""'] }), 'PrometheusRule')['spec']
  const own = 'namespace="megdocs",job="tb-token-broker-operations"'
  const plain = (text: string): string => text.replaceAll(/\s+/g, ' ')
  t.same(plain(JSON.stringify(groups)), plain(JSON.stringify(ruleGroups(own))))
})
