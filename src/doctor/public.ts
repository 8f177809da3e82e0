import { BlockList, isIP, isIPv6 } from 'node:net'
import { buildPublicApp } from '../app.ts'
import { ARRIVAL_REPORT_PARAMETER, arrivalReportProof, targetHash, type ArrivalReport } from '../http/arrival-report.ts'
import { ADMIN_CONSENT_PATH, CALLBACK_PATH } from '../http/links.ts'
import { ACCOUNT_PATH } from '../http/pages/pages.ts'
import type { Services } from '../services.ts'
import {
  EXPIRES_SOON_MS,
  failed,
  formatDuration,
  formatTime,
  ok,
  runCheck,
  skipped,
  warning,
  type Check,
  type Finding,
} from './check.ts'
import { httpGet, type HttpAnswer } from './http-get.ts'

// The public side as browsers see it: requests through PUBLIC_BASE_URL, and how they arrive at the broker. The broker
// reports that to the holder of the session secret only (http/arrival-report.ts).

export const PUBLIC_CHECKS = [
  'connection',
  'certificate',
  'callback',
  'callback_with_slash',
  'account_page',
  'scheme',
  'client_address',
  'host',
  'long_url',
  'headers',
] as const
type Name = (typeof PUBLIC_CHECKS)[number]
type Findings = Partial<Record<Name, Finding>>

/**
 * Bytes of a request target. The first must arrive (docs/microsoft.md#callback-errors); the others show how many bytes
 * do.
 */
const TARGET_BYTES = [8_192, 4_096, 2_048] as const
/**
 * An address that no machine has (RFC 5737). If the broker takes it for the visitor's, it trusts what visitors write.
 */
const FORGED_ADDRESS = '203.0.113.77'

/** Makes all checks. A check that needs another one that failed is `skipped`. Sends about ten requests. */
export async function publicChecks(services: Services): Promise<Check[]> {
  const findings = await runAll(services)
  return PUBLIC_CHECKS.map((name) => ({ name, ...(findings[name] ?? skipped('no request reached the broker.')) }))
}

async function runAll(services: Services): Promise<Findings> {
  const { config, clock } = services
  const base = config.publicBaseUrl
  const first = await httpGet(`${base}${CALLBACK_PATH}`)
  if ('failed' in first) return noConnection(first.failed, base)

  const ask = (path: string, options: AskOptions = {}) => askBroker(services, path, options)
  const [callback, slash, account, forged] = await Promise.all([
    ask(CALLBACK_PATH),
    ask(`${CALLBACK_PATH}/`),
    ask(ACCOUNT_PATH),
    ask(CALLBACK_PATH, { headers: { 'x-forwarded-for': FORGED_ADDRESS } }),
  ])
  const arrival = [callback, slash, account].find((asked) => asked.arrival !== undefined)?.arrival
  return {
    connection: ok(`${base} answers.`),
    certificate: await runCheck('certificate', () => certificate(first.answer.certificateExpiresAt, clock.now())),
    callback: await runCheck('callback', () => reached(callback, CALLBACK_PATH)),
    callback_with_slash: await runCheck('callback_with_slash', () => reached(slash, `${CALLBACK_PATH}/`)),
    account_page: await runCheck('account_page', () => reached(account, ACCOUNT_PATH)),
    headers: await runCheck('headers', () => ourHeaders(services)),
    ...(arrival === undefined
      ? {}
      : {
          scheme: await runCheck('scheme', () => scheme(arrival, base)),
          client_address: await runCheck('client_address', () => clientAddress(arrival, forged.arrival, config)),
          host: await runCheck('host', () => host(arrival, base)),
          ...(callback.arrival === undefined ? {} : { long_url: await runCheck('long_url', () => longUrl(ask)) }),
        }),
  }
}

interface AskOptions {
  headers?: Record<string, string>
  /** Fills the request target up to this many bytes. */
  bytes?: number
}
interface Asked {
  arrival?: ArrivalReport
  /** Why there is no arrival report, or how the request was changed on the way. */
  problem?: string
}

/** A request with a fresh proof, and the broker's report of how it arrived. */
async function askBroker(
  { config, clock }: Services,
  path: string,
  { headers = {}, bytes }: AskOptions,
): Promise<Asked> {
  const proof = `${path}?${ARRIVAL_REPORT_PARAMETER}=${arrivalReportProof(config.sessionSecrets[0]!, clock.now())}`
  const target = bytes === undefined ? proof : `${proof}&code=`.padEnd(bytes, 'c')
  const sent = await httpGet(`${config.publicBaseUrl}${target}`, headers)
  if ('failed' in sent) return { problem: `the connection failed (${sent.failed})` }
  const arrival = readArrivalReport(sent.answer)
  if (arrival === undefined) return { problem: describeOtherAnswer(sent.answer, clock.now()) }
  if (arrival.target_sha256 !== targetHash(target))
    return { arrival, problem: `${arrival.target_length} of ${target.length} bytes arrived, or they were rewritten` }
  return { arrival }
}

function readArrivalReport({ status, body }: HttpAnswer): ArrivalReport | undefined {
  try {
    const value = JSON.parse(body) as Partial<ArrivalReport>
    return status === 200 && value.answered_by === 'token-broker' ? (value as ArrivalReport) : undefined
  } catch {
    return undefined
  }
}

/** An answer that did not come from the broker. Repeats only parts of it that cannot be secret. */
function describeOtherAnswer({ status, headers }: HttpAnswer, now: number): string {
  const { location, server, date } = headers
  if (location !== undefined) {
    const to = URL.parse(location, 'http://same')
    const origin = to === null || to.origin === 'http://same' ? '' : to.origin
    return `HTTP ${status} redirects to ${to === null ? 'another address' : `${origin}${to.pathname}`}`
  }
  const who = typeof server === 'string' && /^[\w./ ()-]{1,40}$/.test(server) ? `, server ${server}` : ''
  const off = date === undefined ? Number.NaN : Math.abs(Date.parse(date) - now) / 1000
  return `HTTP ${status}${who}${off > 5 ? `, its clock differs from ours by ${formatDuration(off)}` : ''}`
}

const ROUTE =
  "Route /auth/oauth2/microsoft/ and /accounts/account/microsoft/ to the broker's public listener, before MEGDocs' own paths, " +
  'and unchanged. If a page of the broker came: the replicas have other SESSION_SECRETS than this doctor, another release, or ' +
  'a clock that differs by more than a minute.'

function reached({ arrival, problem }: Asked, path: string): Finding {
  if (arrival === undefined) return failed(`${path} does not reach the broker: ${problem}.`, ROUTE)
  if (problem !== undefined)
    return failed(
      `${path} reaches the broker changed: ${problem}.`,
      'The ingress must pass path and query on unchanged: no rewriting, no normalising.',
    )
  return ok(`${path} reaches the broker.`)
}

const TLS_ADVICE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'It has expired: renew it.',
  CERT_NOT_YET_VALID: 'It is not valid yet: check the clock of this machine.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'It is for another host: the ingress shows its default certificate, or ingress.tlsSecret names the wrong one.',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'It is self-signed: the ingress shows its default certificate. If your authority is private, set NODE_EXTRA_CA_CERTS ' +
    'here; browsers must trust it too.',
  SELF_SIGNED_CERT_IN_CHAIN:
    'Its authority is private: set NODE_EXTRA_CA_CERTS here. Browsers must trust the authority too.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'The intermediate certificate is missing: the ingress must send the whole chain.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'The intermediate certificate is missing, or its authority is private.',
}
const TIMEOUT_ADVICE =
  'It does not answer. Inside the cluster, a network policy may block the way to the ingress: set networkPolicy.publicTo of ' +
  'the chart, or run this command on a machine outside.'
const CONNECTION_ADVICE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'DNS does not know the host. Check SUBDOMAIN or PUBLIC_BASE_URL, and the DNS record.',
  ECONNREFUSED: 'No server listens there. Check the ingress.',
}

function noConnection(code: string, base: string): Findings {
  const advice = TLS_ADVICE[code]
  if (advice !== undefined)
    return {
      connection: ok(`${base} answers.`),
      certificate: failed(`Browsers do not trust the certificate of ${base} (${code}).`, advice),
    }
  return {
    connection: failed(`${base} cannot be reached from here (${code}).`, CONNECTION_ADVICE[code] ?? TIMEOUT_ADVICE),
  }
}

function certificate(expiresAt: number | undefined, now: number): Finding {
  if (expiresAt === undefined) return skipped('browsers use plain HTTP.')
  const days = Math.floor((expiresAt - now) / 86_400_000)
  const message = `It is trusted, and expires ${formatTime(expiresAt)}, in ${days} days.`
  return expiresAt - now > EXPIRES_SOON_MS ? ok(message) : warning(message, 'Renew the certificate of the ingress.')
}

function scheme({ scheme: seen, forwarded_proto: forwarded, peer }: ArrivalReport, base: string): Finding {
  const wanted = base.split(':')[0]!
  if (seen === wanted) return ok(`Requests arrive as ${seen}.`)
  const message = `Requests arrive as ${seen}, browsers use ${wanted}: the broker refuses every page.`
  if (forwarded === null)
    return failed(`${message} ${peer} sent no X-Forwarded-Proto.`, 'Configure the ingress to send X-Forwarded-Proto.')
  if (forwarded.includes(wanted))
    return failed(
      `${message} ${peer} sent X-Forwarded-Proto ${forwarded}, and is not trusted.`,
      `Add ${peer}, or better the address range of the ingress controller's pods, to TRUSTED_PROXIES.`,
    )
  return failed(
    `${message} ${peer} sent X-Forwarded-Proto ${forwarded}.`,
    'TLS ends in front of that proxy. Configure the proxy to pass X-Forwarded-Proto on instead of replacing it.',
  )
}

function clientAddress(
  { client, peer, forwarded_for: forwarded }: ArrivalReport,
  forged: ArrivalReport | undefined,
  { trustedProxies }: Services['config'],
): Finding {
  if (forwarded === null) {
    if (trustedProxies.length === 0) return ok(`Visitors come directly, this one from ${client}.`)
    return failed(
      `${peer} sent no X-Forwarded-For: all visitors share one address, and so one rate limit.`,
      'Configure the ingress to send X-Forwarded-For.',
    )
  }
  const addresses = forwarded.split(',').map((part) => part.trim())
  if (client === peer && !addresses.includes(peer)) {
    return failed(
      `The broker takes the ingress (${peer}) for the visitor: the ingress sent X-Forwarded-For ${forwarded}, and is not ` +
        'trusted. All visitors share one address, and so one rate limit.',
      `Add ${peer}, or better the address range of the ingress controller's pods, to TRUSTED_PROXIES.`,
    )
  }
  // If this machine itself is in a trusted range, as a pod is, every address that it sends is trusted anyway.
  if (forged?.client === FORGED_ADDRESS && !isAmong(client, trustedProxies)) {
    return warning(
      `The broker trusts what a visitor writes into X-Forwarded-For (it took ${FORGED_ADDRESS} for the visitor).`,
      'Configure the ingress to overwrite X-Forwarded-For, or limit TRUSTED_PROXIES to the ingress. Until then, rate limits ' +
        'by address protect nothing.',
    )
  }
  if (addresses.length > 1 && client === addresses.at(-1)) {
    return warning(
      `Visitors come as ${client} through ${peer}, which sent X-Forwarded-For ${forwarded}.`,
      `If ${client} is one of your proxies, add it to TRUSTED_PROXIES. If it is this machine, all is well.`,
    )
  }
  return ok(
    `Visitors come as ${client} through ${peer}.`,
    'Check that this is the address of this machine as the ingress sees it, and not the address of another proxy.',
  )
}

function isAmong(address: string, ranges: readonly string[]): boolean {
  if (isIP(address) === 0) return false
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', prefix] = range.split('/')
    const family = isIPv6(net) ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(net, family)
    else list.addSubnet(net, Number(prefix), family)
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function host({ host: seen }: ArrivalReport, base: string): Finding {
  const wanted = new URL(base).host
  if (seen?.toLowerCase() === wanted) return ok(`Host is ${wanted}.`)
  return warning(
    `Host is ${seen ?? 'missing'}, not ${wanted}.`,
    'Configure the ingress to pass Host on. The broker builds no address from it, but its access logs would show the wrong host.',
  )
}

async function longUrl(ask: (path: string, options: AskOptions) => Promise<Asked>): Promise<Finding> {
  const lost: string[] = []
  for (const bytes of TARGET_BYTES) {
    const { problem } = await ask(CALLBACK_PATH, { bytes })
    if (problem === undefined && lost.length === 0) return ok(`An address of ${bytes} bytes arrives whole.`)
    if (problem === undefined) return failed(`${lost.join(' ')} An address of ${bytes} bytes arrives.`, LARGER_BUFFERS)
    lost.push(`An address of ${bytes} bytes does not arrive: ${problem}.`)
  }
  return failed(lost.join(' '), LARGER_BUFFERS)
}
const LARGER_BUFFERS =
  "Microsoft's answer is a long address. Enlarge the header buffers of the ingress (ingress-nginx: " +
  'large-client-header-buffers: 4 32k) and of every proxy in front of it.'

/** The headers that the broker sends with a page, made here by the same code. */
async function expectedHeaders(services: Services): Promise<Record<string, string>> {
  const app = await buildPublicApp(services)
  try {
    const { headers } = await app.inject({ url: ADMIN_CONSENT_PATH, headers: { 'x-forwarded-proto': 'https' } })
    const ours = [
      'cache-control',
      'content-security-policy',
      'cross-origin-opener-policy',
      'referrer-policy',
      'strict-transport-security',
      'x-content-type-options',
      'x-frame-options',
    ]
    return Object.fromEntries(
      ours.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
    )
  } finally {
    await app.close()
  }
}

async function ourHeaders(services: Services): Promise<Finding> {
  const sent = await httpGet(`${services.config.publicBaseUrl}${ADMIN_CONSENT_PATH}`)
  if ('failed' in sent) return failed(`The page for administrators cannot be reached (${sent.failed}).`, ROUTE)
  const { headers, status } = sent.answer
  const expected = Object.entries(await expectedHeaders(services))
  const missing = expected.filter(([name]) => headers[name] === undefined).map(([name]) => name)
  // An ingress may send its own Strict-Transport-Security.
  const changed = expected
    .filter(
      ([name, value]) => headers[name] !== undefined && headers[name] !== value && name !== 'strict-transport-security',
    )
    .map(([name]) => name)
  if (missing.length + changed.length === 0) return ok('The security headers of our pages arrive unchanged.')
  const differences = [
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
    ...(changed.length === 0 ? [] : [`changed: ${changed.join(', ')}`]),
  ].join('; ')
  return failed(
    `The security headers of our pages do not arrive as they were sent (${differences}; HTTP ${status}).`,
    'The ingress, or a proxy in front of it, removes or replaces them. Configure it to leave these paths unchanged.',
  )
}
