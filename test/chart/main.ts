import { randomBytes, randomUUID } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { readConfig, readMigrationConfig } from '../../src/config.ts'
import { VARIABLES } from '../../src/config/variables.ts'
import { createMetrics } from '../../src/telemetry.ts'
import { FILES, key, MINIMAL, NOW, rsaPair, callers } from '../config/environment-of-tests.ts'
import { startWorld } from '../support/world.ts'
import { README, readme, values } from './documents.ts'
import { CHART, KUBERNETES, type KubernetesObject, missingTools, render, run, template, VALUES } from './helm.ts'
import { startPrometheus } from './prometheus.ts'
import { NO_SOURCES } from '../support/metric-sources.ts'

// npm run test:chart: the real helm renders the chart. The result is checked against the schemas of Kubernetes and the
// service's own configuration.

const missing = missingTools()
if (missing !== undefined) throw new Error(missing)
const { schemaProblems } = await import('./schemas.ts')

const SETS = readdirSync(VALUES).map((file) => file.replace('.yaml', ''))
const read = (...path: string[]): string => readFileSync(join(CHART, ...path), 'utf8')
const templates = readdirSync(join(CHART, 'templates'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  /\.(?:yaml|tpl|txt)$/.test(file),
)
const find = (objects: KubernetesObject[], kind: string, name: RegExp = /./): KubernetesObject => {
  const found = objects.filter((object) => object.kind === kind && name.test(object.metadata.name))
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`)
  return found[0]!
}

t.test('helm lint --strict finds no problem with any set of values', async (t) => {
  for (const set of SETS) {
    const { code, out } = run('helm', [
      'lint',
      '--strict',
      '--kube-version',
      KUBERNETES[1],
      CHART,
      '--values',
      join(VALUES, `${set}.yaml`),
    ])
    t.equal(code, 0, `${set}: ${out}`)
    t.notMatch(out, /\[(?:WARNING|ERROR)\]/)
  }
})

t.test('all rendered objects match the schemas of all supported versions of Kubernetes', async (t) => {
  for (const kubernetes of KUBERNETES) {
    for (const set of SETS) {
      const objects = render({ values: set, kubernetes })
      t.strictSame(schemaProblems(objects, kubernetes), [], `${set}: ${objects.length} objects in ${kubernetes}`)
    }
  }
  const [object] = render({ values: 'least' }).filter(({ kind }) => kind === 'Deployment')
  object!['spec'].template.spec.containers[0].readinessProb = {}
  t.match(schemaProblems([object!], KUBERNETES[1]), [/readinessProb/], 'a field that Kubernetes does not know is found')
  t.match(template({ values: 'least', kubernetes: '1.30.0' }).err, /kubeVersion/)
})

t.test('the service accepts the configuration of the chart', async (t) => {
  const { certificate, privateKey } = rsaPair()
  const secrets: Record<string, string> = {
    HTTPS_PROXY_FILE: 'http://broker:secret@proxy.internal:3128',
    DATABASE_URL_FILE: MINIMAL['DATABASE_URL']!,
    SEALING_KEYS_FILE: MINIMAL['SEALING_KEYS']!,
    SESSION_SECRETS_FILE: MINIMAL['SESSION_SECRETS']!,
    AUDIT_KEYS_FILE: `audit-1:${randomBytes(32).toString('base64')}`,
    CALLERS_FILE: callers('hmac-sha256', { claims_challenges: true }),
    MICROSOFT_CLIENT_SECRET_FILE: MINIMAL['MICROSOFT_CLIENT_SECRET']!,
    MICROSOFT_CLIENT_CERTIFICATE_FILE: certificate,
    MICROSOFT_PREVIOUS_CLIENTS_FILE: `${randomUUID()}:${MINIMAL['MICROSOFT_CLIENT_SECRET']!}`,
    MICROSOFT_CLIENT_KEY_FILE: privateKey,
    RESPONSE_SIGNING_KEY_FILE: `broker-1:${key('response')}`,
    DATABASE_CA_FILE: certificate,
  }
  const bases: Record<string, string> = {
    least: 'https://audits.megsupportools.com',
    most: 'https://audits-staging.megsupportools.com',
    bare: 'https://docs.example.org',
    federated: 'https://audits.megsupportools.com',
    webhook: 'https://audits.megsupportools.com',
    ipv6: 'https://audits.megsupportools.com',
    openshift: 'https://audits.megsupportools.com',
  }
  for (const set of SETS) {
    const objects = render({ values: set })
    const { spec } = find(objects, 'Deployment')['spec'].template
    const mounted = new Map<string, string>()
    for (const { name, mountPath } of spec.containers[0].volumeMounts as { name: string; mountPath: string }[]) {
      const { secret, configMap } = spec.volumes.find((volume: { name: string }) => volume.name === name)
      const ours = objects.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap?.name)
      for (const [path, text] of Object.entries((ours?.['data'] ?? {}) as Record<string, string>))
        mounted.set(`${mountPath}/${path}`, text)
      for (const { path } of secret?.items ?? []) mounted.set(`${mountPath}/${path}`, secrets[path]!)
      if (name === 'tls')
        for (const [file, text] of [
          ['tls.crt', certificate],
          ['tls.key', privateKey],
        ] as const)
          mounted.set(`${mountPath}/${file}`, text)
    }
    const files = {
      read: (path: string) => mounted.get(path) ?? FILES[path] ?? (t.fail(`${path} is not mounted`) as never),
    }
    const env = find(objects, 'ConfigMap', /-config$/)['data'] as Record<string, string>
    const config = readConfig(env, files, NOW)
    t.strictSame(config.warnings, [], `${set}: no unused variable`)
    t.equal(config.publicBaseUrl, bases[set])
    t.equal(config.logLevel, set === 'most' ? 'debug' : 'info')
    t.equal(config.microsoft.continuousAccessEvaluation, set === 'most')
    t.strictSame(config.harvest, set === 'most' ? { alertAbove: 2000, freezeAbove: 20_000 } : {}, 'harvest')
    t.strictSame(
      config.people,
      set === 'most'
        ? {
            support: { kind: 'mail', value: 'support@megsupportools.com' },
            publisher: 'MEG Support Tools Ltd',
            publisherContact: { kind: 'page', value: 'https://megsupportools.com/contact' },
            privacyNoticeUrl: 'https://megsupportools.com/privacy',
          }
        : {},
      'who stands behind MEGDocs',
    )
    t.equal(
      config.operationsReplicas[0]?.host,
      `${find(objects, 'Service', /-operations$/).metadata.name}.megdocs.svc`,
      'doctor --fleet finds the replicas',
    )
    t.equal(redirectUri(set), config.redirectUri, 'NOTES.txt prints the redirect URI that the service sends')
    t.ok(spec.terminationGracePeriodSeconds > config.drainSeconds + 45)
    if (set === 'bare') continue
    const { env: list } = find(objects, 'Job')['spec'].template.spec.containers[0] as {
      env: { name: string; value: string }[]
    }
    const migration = readMigrationConfig(Object.fromEntries(list.map(({ name, value }) => [name, value])), {
      read: (path) => (path.endsWith('CA_FILE') ? certificate : 'postgres://owner:secret@db.internal/token_broker'),
    })
    t.match(migration.url, /owner/)
  }
})

t.test('the token of the service account is the credential, with Azure’s webhook and without it', (t) => {
  const settings = (set: string) => {
    const objects = render({ values: set })
    const { metadata, spec } = find(objects, 'Deployment')['spec'].template
    const env = find(objects, 'ConfigMap', /-config$/)['data'] as Record<string, string>
    const file = env['MICROSOFT_FEDERATED_TOKEN_FILE'] ?? ''
    t.strictSame(
      Object.keys(env).filter((name) => name.startsWith('MICROSOFT_CLIENT_') && name !== 'MICROSOFT_CLIENT_ID'),
      [],
      `${set}: no other credential`,
    )
    t.equal(spec.automountServiceAccountToken, false, 'the token for the API of Kubernetes is not mounted')
    const doctor = find(objects, 'Pod')
    return { objects, metadata, spec, file, doctor, account: find(objects, 'ServiceAccount') }
  }
  const own = settings('federated')
  for (const spec of [own.spec, own.doctor['spec']]) {
    const { mountPath } = spec.containers[0].volumeMounts.find(
      ({ name }: { name: string }) => name === 'federated-token',
    )
    const { projected } = spec.volumes.find(({ name }: { name: string }) => name === 'federated-token')
    t.strictSame(projected.sources, [
      { serviceAccountToken: { path: 'token', audience: 'api://AzureADTokenExchange', expirationSeconds: 3600 } },
    ])
    t.equal(own.file, `${mountPath}/token`)
  }
  t.notMatch(JSON.stringify(own.objects), /azure\.workload\.identity/)
  const other = find(
    render({ values: 'federated', set: ['microsoft.federation.audience="api://AzureADTokenExchangeUSGov"'] }),
    'Deployment',
  )
  t.match(JSON.stringify(other), /"audience":"api:\/\/AzureADTokenExchangeUSGov"/, 'another audience')

  const webhook = settings('webhook')
  t.equal(webhook.file, '/var/run/secrets/azure/tokens/azure-identity-token', 'where the webhook puts it')
  t.equal(webhook.metadata.labels['azure.workload.identity/use'], 'true')
  t.equal(webhook.doctor.metadata.labels?.['azure.workload.identity/use'], 'true')
  t.notOk(JSON.stringify(webhook.spec).includes('federated-token'), 'the chart adds no volume of its own')
  t.match(webhook.account.metadata, {
    annotations: {
      'azure.workload.identity/client-id': '11111111-2222-3333-4444-555555555555',
      'azure.workload.identity/service-account-token-expiration': '7200',
    },
  })
  t.equal(webhook.spec.serviceAccountName, webhook.account.metadata.name)
  t.notMatch(JSON.stringify(find(webhook.objects, 'Job')), /azure\.workload\.identity/, 'a migration needs none')
  t.end()
})

t.test('another log level changes one file that the running pods read, and restarts none', async (t) => {
  const [info, debug] = ['info', 'debug'].map((level) => render({ values: 'least', set: [`logLevel="${level}"`] }))
  const changed = info!.filter((object, i) => JSON.stringify(object) !== JSON.stringify(debug![i]))
  t.match(changed, [{ kind: 'ConfigMap', metadata: { name: /-log-level$/ }, data: { LOG_LEVEL: 'info' } }])
  t.equal(changed.length, 1)
})

/** The redirect URI that NOTES.txt prints. */
function redirectUri(set: string): string {
  // Only `helm install` renders the notes, and it needs a cluster. So here they are rendered as the text of an object.
  const copy = join(temporaryFolder('token-broker-chart'), 'token-broker')
  cpSync(CHART, copy, { recursive: true })
  writeFileSync(join(copy, 'templates/_notes.tpl'), `{{- define "notes" -}}${read('templates/NOTES.txt')}{{- end -}}`)
  writeFileSync(
    join(copy, 'templates/notes.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: notes }\ndata:\n  text: |{{ include "notes" . | nindent 4 }}\n',
  )
  const { text } = find(render({ values: set, chart: copy }), 'ConfigMap', /^notes$/)['data'] as { text: string }
  rmSync(dirname(copy), { recursive: true })
  return /Register this redirect URI .*\n\s+(\S+)/.exec(text)?.[1] ?? text
}

t.test('every configuration variable of the service has a value in the chart', async (t) => {
  const folder = join(CHART, 'templates')
  const templates = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(yaml|tpl)$/.test(file) && file !== '_validate.tpl')
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .join('\n')
  t.strictSame(
    Object.keys(VARIABLES).filter((name) => !new RegExp(`\\b${name}(_FILE)?\\b`).test(templates)),
    [],
  )
})

t.test('contradictory and missing values are refused, each with one sentence', async (t) => {
  const nothing = run('helm', ['template', 'tb', CHART, '--kube-version', KUBERNETES[1]])
  t.equal(nothing.code, 1)
  for (const name of [
    'public.subdomain',
    'microsoft.clientId',
    'megdocs.connectUrl',
    'secrets.existingSecret',
    'migrations.existingSecret',
    'internal.tlsSecret',
    'public.trustedProxies',
    'networkPolicy.databaseTo',
  ]) {
    t.match(nothing.err, `${name}`, `without values, ${name} is asked for`)
  }
  const refused: Record<string, RegExp> = {
    'public.baseUrl="https://a.example"': /public.subdomain or public.baseUrl, not both/,
    'secrets.keys.clientSecret=""': /clientSecret or secrets.keys.clientCertificate must name the credential/,
    'secrets.keys.clientCertificate="a"': /clientCertificate and secrets.keys.clientKey belong together/,
    'internal.plainHttp=true': /internal.plainHttp contradicts internal.tlsSecret/,
    'autoscaling={"enabled":true,"minReplicas":9,"maxReplicas":3}': /minReplicas is more than/,
    'microsoft.federation={"enabled":true}':
      /needs secrets.keys.clientSecret, clientCertificate and clientKey to be ''/,
    'microsoft.federation={"enabled":true,"webhook":true,"audience":"x"}': /audience has no effect with/,
    'microsoft.federation.expirationSeconds=60': /expirationSeconds/,
    'keepAlive.letGoAfterDays=45': /letGoAfterDays must be more than/,
    'extraEnv=[{"name":"HARVEST_FREEZE_ABOVE","value":"9"}]': /extraEnv must not have HARVEST_FREEZE_ABOVE/,
    'extraEnv=[{"name":"SEALING_KEYS","value":"x"}]': /extraEnv must not have SEALING_KEYS/,
    // Refused by the schema.
    'secret.existingSecret="typo"': /secret/,
    'ingress.hosts=[]': /hosts/,
    'replicaCount=0': /replicaCount/,
    'networkPolicy.microsoftTo=[]': /microsoftTo/,
    'image.tag="a b"': /tag/,
    'networkPolicy.publicFrom=[{"namespaceSelector":{"matchLabel":{"a":"b"}}}]': /publicFrom/,
    'networkPolicy.publicFrom=[{}]': /publicFrom/,
    'networkPolicy.databaseTo=[{"ipBlock":{"cidr":"10.2.0.0"}}]': /databaseTo/,
    'networkPolicy.databaseTo=[{"ipBlock":{"cidr":"10.2.0.0/24"},"podSelector":{}}]': /databaseTo/,
    'networkPolicy.dnsTo=[]': /dnsTo/,
    'megdocs.connectUrl="http://audits.megsupportools.com/connect/"': /connectUrl/,
    'megdocs.manageUrl="http://localhost/manage/"': /megdocs.manageUrl must begin with https/,
    'megdocs.completionUrl="https://audits.megsupportools.com/complete/?handle=1"':
      /must not have connect_session or handle/,
    'public.redirectUri="https://other.example/auth/oauth2/microsoft/callback"':
      /redirectUri must be on the scheme and host/,
    'public.redirectUri="https://audits.megsupportools.com/callback"': /redirectUri/,
    'public.subdomain="staging-"': /subdomain/,
    'public.trustedProxies=["0.0.0.0/0"]': /trustedProxies/,
    'public.trustedProxies=["10.0.0.1/33"]': /trustedProxies/,
    'listenAddress="[::]"': /listenAddress/,
    'listenAddress="localhost"': /listenAddress/,
    'podLabels={"app.kubernetes.io/name":"other"}': /podLabels must not have app.kubernetes.io\/name/,
    'migrations.podLabels={"app.kubernetes.io/component":"server"}':
      /migrations.podLabels must not have app.kubernetes.io\/component/,
    'commonLabels={"helm.sh/chart":"other"}': /commonLabels must not have helm.sh\/chart/,
    'podLabels={"a b":"c"}': /invalid propertyName 'a b'/,
    'podLabels={"a":"b c"}': /podLabels/,
    'resources={"request":{"cpu":"1"}}': /request/,
    'resources={"requests":{"cpu":"one"}}': /cpu/,
    'affinity={"nodeAffinty":{}}': /nodeAffinty/,
    'tolerations=[{"keys":"a"}]': /tolerations/,
    'securityContext={"runAsNonroot":true}': /runAsNonroot/,
    'podSecurityContext={"fsgroup":1}': /fsgroup/,
    'topologyKeys=["a b"]': /topologyKeys/,
    'migrations.servingRole="a b"': /servingRole/,
    'microsoft={"tenant":"consumers","permissions":["Sites.Selected"]}':
      /none on sites when microsoft.tenant is consumers/,
    'microsoft={"tenant":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","allowedTenants":["bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee"]}':
      /allowedTenants must have the tenant/,
  }
  const hosts: Record<string, RegExp> = {
    'https://Audits.example': /public.baseUrl must be in lower case/,
    'https://10.1.2.3': /ingress.enabled must be false when the host/,
    'https://[fd00:10::1]:8443': /ingress.enabled must be false when the host/,
    'https://a_b.example': /ingress.enabled must be false when the host/,
    'https://jane@a.example': /baseUrl/,
    'http://a.example': /baseUrl/,
  }
  for (const [host, words] of Object.entries(hosts)) {
    const { code, err } = template({ values: 'least', set: ['public.subdomain=null', `public.baseUrl="${host}"`] })
    t.equal(code, 1, host)
    t.match(err, words)
  }
  for (const [set, words] of Object.entries(refused)) {
    const { code, err } = template({ values: 'least', set: [set] })
    t.equal(code, 1, set)
    t.match(err, words)
  }
})

t.test('names and labels keep their limits with the longest release and namespace', async (t) => {
  for (const set of SETS) {
    const objects = render({
      values: set,
      release: 'r'.repeat(53),
      namespace: 'n'.repeat(63),
      set: ['fullnameOverride=""', 'nameOverride=""'],
    })
    for (const {
      kind,
      metadata: { name, labels = {} },
    } of objects) {
      t.ok(name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name), `${kind} ${name}`)
      t.strictSame(
        Object.values(labels).filter((label) => label.length > 63),
        [],
      )
    }
    t.equal(
      new Set(objects.map(({ kind, metadata: { name } }) => `${kind} ${name}`)).size,
      objects.length,
      'no two objects have the same name',
    )
  }
})

t.test('pods are hardened, their network is closed by default, and a rollout never has fewer pods', async (t) => {
  const objects = render({ values: 'least' })
  for (const pod of [
    find(objects, 'Deployment')['spec'].template.spec,
    find(objects, 'Job')['spec'].template.spec,
    find(objects, 'Pod')['spec'],
  ]) {
    t.match(pod, {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    })
    t.match(pod.containers[0].securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  }
  t.match(find(objects, 'Deployment')['spec'].strategy, {
    type: 'RollingUpdate',
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
  })
  const server = {
    'app.kubernetes.io/name': 'token-broker',
    'app.kubernetes.io/instance': 'tb',
    'app.kubernetes.io/component': 'server',
  }
  t.strictSame(
    find(objects, 'NetworkPolicy', /broker$/)['spec'].ingress,
    [{ from: [{ podSelector: { matchLabels: server } }], ports: [{ protocol: 'TCP', port: 'operations' }] }],
    'by default only the replicas themselves have access, to request the status of each other',
  )
  t.match(
    find(objects, 'Service', /-operations$/)['spec'],
    { clusterIP: 'None', publishNotReadyAddresses: true, selector: server, ports: [{ port: 9090 }] },
    'one name resolves to all replicas',
  )
  const open = find(render({ values: 'most' }), 'NetworkPolicy', /broker$/)['spec'].ingress as {
    from: unknown[]
    ports: { port: string }[]
  }[]
  t.strictSame(open.map(({ from, ports }) => [ports.map(({ port }) => port), from.length]).sort(), [
    [['internal'], 1],
    [['operations'], 2],
    [['public'], 1],
  ])
  t.equal(
    find(render({ values: 'most' }), 'Deployment')['spec'].replicas,
    undefined,
    'the autoscaler decides the number of replicas',
  )
  const { spec } = find(objects, 'Ingress')
  t.strictSame(
    spec.rules.map((rule: any) => [rule.host, rule.http.paths.map(({ path }: { path: string }) => path)]),
    [['audits.megsupportools.com', ['/auth/oauth2/microsoft', '/accounts/account/microsoft']]],
  )
  t.strictSame(
    render({ values: 'most' }).filter(({ kind }) => kind === 'Secret'),
    [],
    'the chart creates no secret',
  )
})

t.test('all values are used, all used values exist, and schema and README list exactly these', async (t) => {
  const declared = values()
  const text = templates.map((file) => read('templates', file)).join('\n')
  const uses = [...new Set([...text.matchAll(/\.Values\.([\w.]+)/g)].map(([, path = '']) => path))]
  t.strictSame(
    declared
      .filter(({ path }) => !uses.some((use) => use === path || path.startsWith(`${use}.`)))
      .map(({ path }) => path),
    [],
    'no value without a use',
  )
  t.strictSame(
    uses.filter((use) => !declared.some(({ path }) => use === path || path.startsWith(`${use}.`))),
    [],
    'no use without a value',
  )
  t.strictSame(
    declared.filter(({ what }) => what === undefined).map(({ path }) => path),
    [],
    'no value without a word',
  )
  t.equal(readFileSync(README, 'utf8'), readme(), 'README.md is up to date; if not: node test/chart/documents.ts')

  interface Schema {
    properties?: Record<string, Schema>
    additionalProperties?: unknown
  }
  const known: string[] = []
  function visit({ properties, additionalProperties }: Schema, path: string[]): void {
    if (properties === undefined) return void known.push(path.join('.'))
    t.equal(additionalProperties, false, `${path.join('.') || 'the top'} is closed`)
    for (const [name, schema] of Object.entries(properties))
      // Both are for umbrella charts.
      if (path.length > 0 || !['global', 'enabled'].includes(name)) visit(schema, [...path, name])
  }
  visit(JSON.parse(read('values.schema.json')) as Schema, [])
  t.strictSame(known.sort(), declared.map(({ path }) => path).sort())
})

t.test('alerts and dashboard use metrics of the service, in queries that Prometheus accepts', async (t) => {
  const folder = temporaryFolder('token-broker-chart')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const objects = render({ values: 'most' })
  const { groups } = find(objects, 'PrometheusRule')['spec'] as {
    groups: { name: string; rules: { alert: string; expr: string; annotations: { runbook_url: string } }[] }[]
  }
  const rules = groups.flatMap(({ rules }) => rules)
  const dashboard = JSON.parse(find(objects, 'ConfigMap', /-dashboard$/)['data']['token-broker.json']) as {
    panels: { title: string; targets: { expr: string }[] }[]
  }
  const queries = dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ title, expr: expr.replaceAll(/\$(?:namespace|job)/g, '.*') })),
  )
  writeFileSync(join(folder, 'alerts.yaml'), stringify({ groups }))
  writeFileSync(
    join(folder, 'dashboard.yaml'),
    stringify({
      groups: [{ name: 'dashboard', rules: queries.map(({ expr }, index) => ({ record: `query:${index}`, expr })) }],
    }),
  )
  for (const file of ['alerts.yaml', 'dashboard.yaml']) {
    const { code, out, err } = run('promtool', ['check', 'rules', join(folder, file)])
    t.equal(code, 0, `${out}${err}`)
  }

  const { registry } = createMetrics(NO_SOURCES)
  const names = new Set(
    registry.getMetricsAsArray().flatMap(({ name }) => [name, `${name}_bucket`, `${name}_count`, `${name}_sum`]),
  )
  const asked = [...rules, ...queries].flatMap(({ expr }) =>
    [...expr.matchAll(/\b(?:token_broker|process|nodejs)_\w+/g)].map(([name]) => name),
  )
  t.strictSame(
    [...new Set(asked)].filter((name) => !names.has(name)),
    [],
  )
  const runbooks = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8')
  for (const { alert, annotations } of rules) {
    t.match(runbooks, new RegExp(`^### ${alert}$`, 'm'), `${alert} has an entry`)
    t.equal(annotations.runbook_url, `https://docs.example/runbooks.md#${alert.toLowerCase()}`)
  }

  writeFileSync(join(folder, 'tests.yaml'), read('..', '..', 'test', 'chart', 'alerts.test.yaml'))
  const { code, out, err } = run('promtool', ['test', 'rules', join(folder, 'tests.yaml')])
  t.equal(code, 0, `${out}${err}`)
})

t.test('all panels of the dashboard show data of a running broker', async (t) => {
  const world = await startWorld(t)
  await world.connect('42')
  await world.replica.operations.listen({ host: '127.0.0.1', port: 0 })
  const { port } = world.replica.operations.server.address() as AddressInfo
  const prometheus = await startPrometheus(`127.0.0.1:${port}`, {
    namespace: 'megdocs',
    job: 'tb-token-broker-operations',
  })
  t.teardown(() => prometheus.close())
  const { panels } = JSON.parse(read('dashboards/token-broker.json')) as {
    panels: { title: string; targets: { expr: string }[] }[]
  }
  // Panels that are empty for a healthy broker that has just started.
  const mayBeEmpty =
    /token_broker_keep_alive_integrations_total|token_broker_certificate_expiry|token_broker_caller_key_users|connects_total\{outcome="failed"/
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      const query = expr.replaceAll('$namespace', 'megdocs').replaceAll('$job', '.*')
      let shown: number[] = []
      // Rates need traffic between two scrapes, and the test does not control when Prometheus scrapes. A quantile of no
      // traffic is NaN: an empty place in the panel.
      const isShown = () => shown.length > 0 && !shown.some(Number.isNaN)
      for (let round = 0; round < 1_500 && !isShown(); round++) {
        await world.setRemaining('42', 100)
        await world.caller.token('42')
        await fetch(`${world.replica.internalUrl}/tokens/42`)
        shown = await prometheus.query(query)
        if (mayBeEmpty.test(expr)) break
      }
      t.ok(isShown() || mayBeEmpty.test(expr), `${title}: ${shown.join(', ')}`)
    }
  }
})

t.test('the chart has the version of this release, and the example values of its README are sufficient', async (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  t.match(parse(read('Chart.yaml')), { version, appVersion: version })
  const folder = temporaryFolder('token-broker-chart')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const [, shown = ''] = /```yaml\n([^]*?)```/.exec(read('README.md')) ?? []
  writeFileSync(join(folder, 'values.yaml'), shown)
  const { code, err } = run('helm', [
    'template',
    'token-broker',
    CHART,
    '--kube-version',
    KUBERNETES[1],
    '--values',
    join(folder, 'values.yaml'),
  ])
  t.equal(code, 0, err)
})

t.test('further manifests may be objects or templates', async (t) => {
  t.match(find(render({ values: 'most' }), 'ConfigMap', /^tb-token-broker-extra$/), { apiVersion: 'v1' })
})
