import { randomBytes } from 'node:crypto'
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { stringify } from 'yaml'
import { createBrowser } from '../../sandbox/browser.ts'
import { generateSecrets } from '../../sandbox/broker.ts'
import { createBrokerClient } from '../../sandbox/megdocs/broker-client.ts'
import { generateKey } from '../../src/signature/keygen.ts'
import {
  apply,
  attempt,
  eventually,
  helm,
  kubectl,
  NAMESPACE,
  type Ran,
  read,
  run,
  scriptPod,
  STATE,
} from './cluster.ts'
import {
  certificateAuthority,
  edgeCertificateNames,
  hospitalDatabase,
  IPV6,
  LOGIN_URL,
  NODE_CIDR,
  openEdge,
  PODS_CIDR,
  simulatedMicrosoft,
} from './hospital.ts'
import { closedAndOpen } from './policies.ts'

// npm run test:cluster: the chart on a real Kubernetes, installed as its README says and then changed in every way that
// its README names, while MEGDocs asks for tokens. No request may fail. Started by test/cluster/run inside the cluster.

const CHART = resolve('helm/token-broker')
const RELEASE = 'token-broker'
const USER_ID = '42'
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const IMAGE = `registry.example/token-broker:${version}`
/** Where the operator works: commands of the README run here. */
const folder = join(STATE, 'hospital')
mkdirSync(folder)
symlinkSync(resolve('helm'), join(folder, 'helm'))

/** The code block of this language under this heading of the chart's README, the first that contains `word`. */
function documented(heading: string, language: 'sh' | 'yaml', word = ''): string {
  const [, section = ''] = readFileSync(join(CHART, 'README.md'), 'utf8').split(`\n## ${heading}\n`)
  const blocks = section.split('\n## ')[0]!.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))
  const block = [...blocks].map(([, text = '']) => text).find((text) => text.includes(word))
  if (block === undefined) throw new Error(`the README has no such ${language} block under "${heading}"`)
  return block
}

/** Runs a block of the README in a shell, with the values of this place. */
async function follow(heading: string, word = ''): Promise<Ran> {
  const script = documented(heading, 'sh', word).replaceAll('-f values.yaml', '-f values.yaml -f here.yaml')
  return attempt('bash', ['-ec', script], '', folder)
}

const authority = certificateAuthority(folder)
const names = ['', '.svc', '.svc.cluster.local'].map((suffix) => `${RELEASE}-internal.${NAMESPACE}${suffix}`)
names.push(`${RELEASE}-internal`)
const password = randomBytes(12).toString('hex')
const postgres = await hospitalDatabase(folder, password)
t.teardown(() => postgres.close())
const microsoft = await simulatedMicrosoft()
t.teardown(() => microsoft.close())
let publicAddress = ''
const edge = await openEdge(authority.issue(edgeCertificateNames), {
  microsoftPort: microsoft.port,
  broker: () => ({ host: publicAddress, port: 8080 }),
})
t.teardown(() => edge.close())

const secrets = generateSecrets(Date.now())
const secretFiles: Record<string, string> = {
  'sealing-keys': secrets.sealingKeys,
  'session-secrets': secrets.sessionSecrets,
  'audit-keys': secrets.auditKeys,
  'callers.json': secrets.callers,
  'client-secret': microsoft.clientSecret,
  'database-url': postgres.url,
  'owner-database-url': postgres.ownerUrl,
}
/** Of this place, beside the values of the README. */
const here = {
  ...(IPV6 ? { listenAddress: '::' } : {}),
  image: { pullPolicy: 'Never' },
  public: { trustedProxies: [NODE_CIDR, PODS_CIDR] },
  microsoft: { clientId: microsoft.clientId, loginUrl: LOGIN_URL },
  privateCa: { configMap: 'hospital-ca' },
  // Two cores for a whole cluster.
  resources: { requests: { cpu: '50m' } },
  networkPolicy: {
    databaseTo: [{ ipBlock: { cidr: NODE_CIDR } }],
    microsoftTo: [{ ipBlock: { cidr: NODE_CIDR } }],
  },
}
writeFileSync(join(folder, 'values.yaml'), documented('5. Values', 'yaml'))
writeFileSync(join(folder, 'here.yaml'), stringify(here))
const inFolder = (name: string): string => join(folder, name)
const upgrade = (...more: string[]): Promise<Ran> =>
  helm('upgrade', RELEASE, CHART, '-f', inFolder('values.yaml'), '-f', inFolder('here.yaml'), '--wait', ...more)

let internalAddress = ''
async function learnAddresses(): Promise<void> {
  const address = (listener: string) =>
    kubectl('get', 'service', `${RELEASE}-${listener}`, '--output', 'jsonpath={.spec.clusterIP}')
  publicAddress = await address('public')
  internalAddress = await address('internal')
}
const caller = (key = secrets.megdocsKey) =>
  createBrokerClient({
    address: () => `https://${IPV6 ? `[${internalAddress}]` : internalAddress}:8081`,
    authority: `${names[1]}:8081`,
    key,
    ca: authority.ca,
  })

interface Pod {
  metadata: { name: string; deletionTimestamp?: string }
  status: { podIP?: string; conditions?: { type: string; status: string }[] }
}
/** The replicas that are ready and not about to end. */
async function replicas(): Promise<Pod[]> {
  const { items } = await read<{ items: Pod[] }>('pods', '--selector', 'app.kubernetes.io/component=server')
  return items.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true,
  )
}

// The load of MEGDocs.
interface Totals {
  sent: number
  good: number
  failed: number
  slowestMs: number
}
async function loadSoFar(): Promise<{ totals: Totals; failures: object[] }> {
  const lines = (await kubectl('logs', 'load')).split('\n').filter((line) => line.startsWith('{'))
  const parsed = lines.map((line) => JSON.parse(line) as Totals & { failure?: string })
  return {
    totals: parsed.filter(({ failure }) => failure === undefined).at(-1) ?? {
      sent: 0,
      good: 0,
      failed: 0,
      slowestMs: 0,
    },
    failures: parsed.filter(({ failure }) => failure !== undefined),
  }
}
async function startLoad(): Promise<void> {
  const files = { 'ca.crt': authority.ca, 'key.json': JSON.stringify(secrets.megdocsKey) }
  const env = { BROKER_URL: `https://${names[1]}:8081`, USER_ID }
  const script = readFileSync('test/cluster/load.mjs', 'utf8')
  await apply(...scriptPod('load', IMAGE, { script, files, env }))
  await eventually('MEGDocs gets tokens', async () => {
    const { totals } = await loadSoFar().catch(() => ({ totals: { good: 0 } }))
    return totals.good > 0 ? totals : undefined
  })
}
/** A test under load: MEGDocs got a token for every request meanwhile. */
function underLoad(name: string, work: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    const before = await loadSoFar()
    await work(t)
    // Longer than a request may take.
    const { totals, failures } = await eventually('the load goes on', async () => {
      const now = await loadSoFar()
      return now.totals.sent - now.totals.good - now.totals.failed < 3 && now.totals.sent > before.totals.sent
        ? now
        : undefined
    })
    t.same(failures.slice(before.failures.length), [], 'no request failed')
    t.comment(
      `${totals.good - before.totals.good} requests answered meanwhile, the slowest so far in ${totals.slowestMs} ms`,
    )
  })
}

async function writeSecrets(): Promise<void> {
  for (const [name, text] of Object.entries(secretFiles)) writeFileSync(inFolder(name), text)
  const { cert, key } = authority.issue(names)
  writeFileSync(inFolder('tls.crt'), cert)
  writeFileSync(inFolder('tls.key'), key)
}

/** The fingerprint of the certificate that a replica serves now. */
function servedCertificate(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: 8081, servername: names[1]!, ca: authority.ca }, () => {
      resolve(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

/** Replaces keys of a secret, as an operator does. */
async function changeSecret(name: string, data: Record<string, string>): Promise<void> {
  await kubectl('patch', 'secret', name, '--patch', JSON.stringify({ stringData: data }))
}

/** The numbers of ready replicas that Kubernetes reported while `work` went on. */
async function readyDuring(work: () => Promise<void>): Promise<number[]> {
  // The field is absent while no replica is ready.
  const path = 'jsonpath=ready={.status.readyReplicas}{"\\n"}'
  const watch = spawn('kubectl', ['--namespace', NAMESPACE, 'get', 'deployment', RELEASE, '--watch', '--output', path])
  let text = ''
  watch.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await eventually('the watch has begun', async () => (text.includes('\n') ? true : undefined))
  await work()
  watch.kill()
  return [...text.matchAll(/^ready=(\d*)$/gm)].map(([, ready]) => Number(ready))
}

t.test('keys are made with the image', async (t) => {
  await apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'keygen', namespace: 'default' },
    spec: { restartPolicy: 'Never', containers: [{ name: 'keygen', image: IMAGE, args: ['keygen', 'sealing'] }] },
  })
  await run('kubectl', 'wait', 'pod/keygen', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s')
  // Kubernetes mixes what is said about the key on standard error with the key.
  const [key] = /^\S+:[\w-]{43}$/m.exec(await run('kubectl', 'logs', 'keygen')) ?? []
  t.ok(key)
  secretFiles['sealing-keys'] = `${key}\n`
})

t.test('the README installs it at the first try, under Pod Security restricted', async (t) => {
  await writeSecrets()
  const made = await follow('3. Keys and secrets', 'kubectl create')
  t.equal(made.code, 0, made.text)
  const levels = ['enforce', 'warn', 'audit'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
  await run('kubectl', 'label', 'namespace', NAMESPACE, ...levels)
  t.equal((await follow('4. Certificate of the signed API')).code, 0)
  await kubectl('create', 'configmap', 'hospital-ca', `--from-file=ca.crt=${inFolder('ca.crt')}`)
  const installed = await follow('6. Install')
  t.equal(installed.code, 0, installed.text)
  t.notMatch(installed.text, /would violate PodSecurity|[Ww]arning/)
  t.equal((await replicas()).length, 3)
  const { items } = await read<{ items: { status: { containerStatuses: { restartCount: number }[] } }[] }>(
    'pods',
    '--selector',
    'app.kubernetes.io/component=server',
  )
  t.same(
    items.flatMap(({ status }) => status.containerStatuses.map(({ restartCount }) => restartCount)),
    [0, 0, 0],
    'no replica was restarted: the rights were there before it',
  )
})

t.test('a user connects, and MEGDocs gets a token', async (t) => {
  await learnAddresses()
  const browser = createBrowser({
    ca: authority.ca,
    stopBefore: (url) => url.startsWith(LOGIN_URL) || url.includes('/accounts/microsoft/complete/'),
  })
  // A token is refreshed when it has less than 300 seconds: here every three seconds, also during each rollout.
  microsoft.control.configure({ lifetime: 303 })
  const { id, url } = await caller().beginConnect(USER_ID)
  const page = await browser.open(url)
  const signedIn = microsoft.control.signIn({ account: 'jane@contoso.com', authorizeUrl: page.refresh! })
  const back = await browser.open(signedIn)
  await caller().complete(id, USER_ID, new URL(back.refresh!).searchParams.get('handle')!)
  t.match(await caller().token(USER_ID), { user_id: USER_ID, account: { username: 'jane@contoso.com' } })
  await startLoad()
})

underLoad('helm test passes, and says nothing bad', async (t) => {
  const { code, text } = await follow('7. Check')
  t.equal(code, 0, text)
  t.match(text, /\b0 failed/)
  t.notMatch(text, /lacks /, 'the certificate has every name')
})

underLoad('the network policies refuse every other connection', async (t) => {
  for (const { from, to, wanted, found } of await closedAndOpen(IMAGE)) t.equal(found, wanted, `${from} → ${to}`)
})

/** `work` puts a new replica in the place of each, and at least three were ready all the time. */
async function replacesAll(t: Test, work: () => Promise<Ran>): Promise<void> {
  const before = new Set((await replicas()).map(({ metadata }) => metadata.name))
  const ready = await readyDuring(async () => {
    const { code, text } = await work()
    t.equal(code, 0, text)
  })
  t.ok(Math.min(...ready) >= 3, `ready: ${ready.join(', ')}`)
  t.notOk((await replicas()).some(({ metadata }) => before.has(metadata.name)))
}

underLoad('an upgrade replaces all replicas and never has fewer', async (t) => {
  writeFileSync(inFolder('here.yaml'), stringify({ ...here, drainSeconds: 6 }))
  await replacesAll(t, () => follow('Upgrade'))
  writeFileSync(inFolder('here.yaml'), stringify(here))
  t.match((await read<{ data: object }>('configmap', `${RELEASE}-config`)).data, { DRAIN_SECONDS: '6' })
})

underLoad('a rollback does the same', async (t) => {
  await replacesAll(t, () => follow('Roll back'))
  t.match((await read<{ data: object }>('configmap', `${RELEASE}-config`)).data, { DRAIN_SECONDS: '5' })
})

underLoad('a migration that fails changes nothing else, and helm prints why', async (t) => {
  const before = (await replicas()).map(({ metadata }) => metadata.name)
  const { code, text } = await upgrade(
    '--timeout',
    '2m',
    '--set',
    'migrations.servingRole=nobody',
    '--set',
    'drainSeconds=7',
  )
  t.not(code, 0)
  t.match(text, /the role of DATABASE_SERVING_ROLE does not exist: create it/)
  t.same(
    (await replicas()).map(({ metadata }) => metadata.name),
    before,
  )
  t.match((await read<{ data: object }>('configmap', `${RELEASE}-config`)).data, { DRAIN_SECONDS: '5' })
})

underLoad('a configuration that the service refuses is rolled back', async (t) => {
  const before = (await replicas()).map(({ metadata }) => metadata.name)
  const editions = async () => (await kubectl('get', 'replicaset', '--output', 'name')).split('\n').length
  const editionsBefore = await editions()
  const { code, text } = await upgrade('--atomic', '--timeout', '20s', '--set', 'microsoft.tenant=nowhere')
  t.not(code, 0)
  t.equal(await editions(), editionsBefore + 1, `Kubernetes tried it: ${text}`)
  t.same(
    (await replicas()).map(({ metadata }) => metadata.name),
    before,
    'the old replicas served all the time',
  )
  t.match((await read<{ data: object }>('configmap', `${RELEASE}-config`)).data, { MICROSOFT_TENANT: 'organizations' })
})

underLoad('autoscaling is switched on and off without a dip', async (t) => {
  const on = ['--timeout', '2m', '--set', 'autoscaling.enabled=true,autoscaling.minReplicas=2']
  const ready = await readyDuring(async () => {
    const first = await upgrade(...on)
    t.equal(first.code, 0, first.text)
    await kubectl('scale', 'deployment', RELEASE, '--replicas', '4')
    await kubectl('rollout', 'status', `deployment/${RELEASE}`, '--timeout', '60s')
    const again = await upgrade(...on, '--set', 'logLevel=debug')
    t.equal(again.code, 0, again.text)
    t.equal((await replicas()).length, 4, 'an upgrade keeps what the autoscaler decided')
    const off = await upgrade('--timeout', '2m', '--set', 'replicaCount=4')
    t.equal(off.code, 0, off.text)
  })
  t.ok(Math.min(...ready) >= 3, `ready: ${ready.join(', ')}`)
  t.equal((await replicas()).length, 4)
  const helm4 = (await run('helm', 'version', '--short')).startsWith('v4')
  const back = await upgrade('--timeout', '2m', ...(helm4 ? ['--force-conflicts'] : []))
  t.equal(back.code, 0, back.text)
})

underLoad('a drain of the node ends one replica at a time', async (t) => {
  const flags = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout', '12s']
  const selector = `app.kubernetes.io/component=server`
  const { code, text } = await attempt('kubectl', ['drain', 'node-1', ...flags, '--pod-selector', selector])
  t.not(code, 0, 'the only node has no place for the others')
  t.match(text, /disruption budget/)
  t.equal((await replicas()).length, 2)
  await run('kubectl', 'uncordon', 'node-1')
  await kubectl('rollout', 'status', `deployment/${RELEASE}`, '--timeout', '60s')
})

underLoad('secrets and the certificate rotate without a restart, and secrets.revision rolls', async (t) => {
  const before = (await replicas()).map(({ metadata }) => metadata.name)
  const second = generateKey('hmac-sha256', 'megdocs', Date.now() + 90 * 86_400_000, Date.now() - 60_000)
  const callers = JSON.parse(secrets.callers) as { callers: { keys: object[] }[] }
  callers.callers[0]!.keys.push(second.broker)
  await changeSecret('token-broker', { 'callers.json': JSON.stringify(callers) })
  const { cert, key } = authority.issue(names)
  await changeSecret('token-broker-tls', { 'tls.crt': cert, 'tls.key': key })
  const old = new Set(await Promise.all((await replicas()).map(({ status }) => servedCertificate(status.podIP!))))
  await eventually('all replicas serve the new certificate', async () => {
    const now = await Promise.all((await replicas()).map(({ status }) => servedCertificate(status.podIP!)))
    return now.length === 3 && now.every((one) => !old.has(one)) ? true : undefined
  })
  await eventually('the new key of MEGDocs is accepted', async () =>
    caller(second.caller)
      .token(USER_ID)
      .catch(() => undefined),
  )
  t.same(
    (await replicas()).map(({ metadata }) => metadata.name),
    before,
    'no replica was restarted',
  )
  const rolled = await upgrade('--timeout', '2m', '--set', 'secrets.revision=2')
  t.equal(rolled.code, 0, rolled.text)
  t.notOk((await replicas()).some(({ metadata }) => before.includes(metadata.name)))
})

t.test('it is uninstalled, what stays is as documented, and it can be installed again', async (t) => {
  t.same((await loadSoFar()).failures, [], 'no request failed from the first to the last')
  await kubectl('delete', 'pod', 'load', '--wait')
  const gone = await follow('Uninstall')
  t.equal(gone.code, 0, gone.text)
  const [kinds, selector] = ['all,networkpolicy,configmap', 'app.kubernetes.io/instance=token-broker']
  const left = await eventually('the replicas have ended', async () => {
    const names = await kubectl('get', kinds, '--selector', selector, '--output', 'name')
    return /^pod\/token-broker-[0-9a-f]+-/m.test(names) ? undefined : names.split('\n')
  })
  t.same(left.map((name) => name.replace(/migrate-\w+$/, 'migrate')).sort(), [
    'job.batch/token-broker-migrate',
    'networkpolicy.networking.k8s.io/token-broker-migrate',
    'pod/token-broker-doctor',
    'pod/token-broker-migrate',
  ])
  const again = await follow('6. Install')
  t.equal(again.code, 0, again.text)
  await learnAddresses()
  await startLoad()
  const { failures } = await eventually('the user is still connected', async () => {
    const now = await loadSoFar()
    return now.totals.good >= 20 ? now : undefined
  })
  t.same(failures, [])
})
