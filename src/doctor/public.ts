import { BlockList, isIP, isIPv6 } from 'node:net'
import { buildPublicApp } from '../app.ts'
import { ADMIN_CONSENT_PATH, CALLBACK_PATH } from '../http/links.ts'
import { ACCOUNT_PATH } from '../http/pages/pages.ts'
import { ARRIVAL_REPORT_PARAMETER, arrivalReportProof, targetHash, type ArrivalReport } from '../http/arrival-report.ts'
import type { Services } from '../services.ts'
import { failed, instant, ok, skipped, EXPIRES_SOON_MS, span, warning, type Check, type Finding } from './check.ts'
import { httpGet, type HttpAnswer } from './http-get.ts'

// The way in, from the outside: requests through PUBLIC_BASE_URL, and how they arrive at the broker, which tells nobody but us (http/probe.ts).

const NAMES = [
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
type Name = (typeof NAMES)[number]
type Findings = Partial<Record<Name, Finding>>

/** Bytes of a request target: what must pass (entra.md 10), then what else is tried to tell how much does. */
const LENGTHS = [8_192, 4_096, 2_048] as const
/** An address that nobody has (RFC 5737), to see whether a visitor's word is taken for it. */
const FORGED = '203.0.113.77'

/** Makes all checks; what stands in the way of one makes it `skipped`. Sends about ten requests. */
export async function examinePublic(services: Services): Promise<Check[]> {
  const findings = await look(services)
  return NAMES.map((name) => ({ name, ...(findings[name] ?? skipped('no request reached the broker')) }))
}

async function look(services: Services): Promise<Findings> {
  const { config, clock } = services
  const base = config.publicBaseUrl
  const first = await httpGet(`${base}${CALLBACK_PATH}`)
  if ('failed' in first) return noConnection(first.failed, base)

  const ask = (path: string, more: AskOptions = {}) => askBroker(services, path, more)
  const [callback, slash, account, forged] = await Promise.all([
    ask(CALLBACK_PATH),
    ask(`${CALLBACK_PATH}/`),
    ask(ACCOUNT_PATH),
    ask(CALLBACK_PATH, { headers: { 'x-forwarded-for': FORGED } }),
  ])
  const arrival = [callback, slash, account].find(({ arrival: seen }) => seen !== undefined)?.arrival
  return {
    connection: ok(`${base} answers.`),
    certificate: certificate(first.answer.certificateEnds, clock.now()),
    callback: reached(callback, CALLBACK_PATH),
    callback_with_slash: reached(slash, `${CALLBACK_PATH}/`),
    account_page: reached(account, ACCOUNT_PATH),
    headers: await ourHeaders(services),
    ...(arrival === undefined
      ? {}
      : {
          scheme: scheme(arrival, base),
          client_address: clientAddress(arrival, forged.arrival, config),
          host: host(arrival, base),
          ...(callback.arrival === undefined ? {} : { long_url: await longUrl(ask) }),
        }),
  }
}

interface AskOptions {
  headers?: Record<string, string>
  /** Fills the request target up to so many bytes. */
  length?: number
}
interface Asked {
  arrival?: ArrivalReport
  /** Why there is none. */
  why?: string
}

/** A request with a proof, fresh each time, and the broker's word on how it arrived. */
async function askBroker(
  { config, clock }: Services,
  path: string,
  { headers = {}, length }: AskOptions,
): Promise<Asked> {
  const proof = `${path}?${ARRIVAL_REPORT_PARAMETER}=${arrivalReportProof(config.sessionSecrets[0]!, clock.now())}`
  const target = length === undefined ? proof : `${proof}&code=`.padEnd(length, 'c')
  const visited = await httpGet(`${config.publicBaseUrl}${target}`, headers)
  if ('failed' in visited) return { why: `the connection ended (${visited.failed})` }
  const arrival = arrivalOf(visited.answer)
  if (arrival === undefined) return { why: notTheBroker(visited.answer, clock.now()) }
  if (arrival.target_sha256 !== targetHash(target))
    return { arrival, why: `it arrived as another one: ${arrival.target_length} bytes of ${target.length}` }
  return { arrival }
}

function arrivalOf({ status, body }: HttpAnswer): ArrivalReport | undefined {
  try {
    const said = JSON.parse(body) as Partial<ArrivalReport>
    return status === 200 && said.answered_by === 'token-broker' ? (said as ArrivalReport) : undefined
  } catch {
    return undefined
  }
}

/** Nothing of the answer is repeated but what cannot be anybody's secret. */
function notTheBroker({ status, headers }: HttpAnswer, now: number): string {
  const { location, server, date } = headers
  if (location !== undefined) {
    const to = URL.parse(location, 'http://same')
    return `HTTP ${status} sends on to ${to === null ? 'somewhere' : `${to.origin === 'http://same' ? '' : to.origin}${to.pathname}`}`
  }
  const who = typeof server === 'string' && /^[\w./ ()-]{1,40}$/.test(server) ? `, server ${server}` : ''
  const off = date === undefined ? Number.NaN : Math.abs(Date.parse(date) - now) / 1000
  return `HTTP ${status}${who}${off > 5 ? `, whose clock is ${span(off)} off ours` : ''}`
}

const ROUTE =
  "Route /auth/oauth2/microsoft/ and /accounts/account/microsoft/ to the broker's public listener, before MEGDocs' own paths, and unchanged. " +
  "If the broker's own page came: the replicas have other SESSION_SECRETS than this doctor, another release, or a clock that is more than a minute off."

function reached({ arrival, why }: Asked, path: string): Finding {
  if (arrival === undefined) return failed(`${path} does not reach the broker: ${why}.`, ROUTE)
  if (why !== undefined)
    return failed(
      `${path} reaches the broker changed: ${why}.`,
      'The ingress must pass path and query on as they are: no rewriting, no normalising.',
    )
  return ok(`${path} reaches the broker.`)
}

const TLS: Record<string, string> = {
  CERT_HAS_EXPIRED: 'It has expired: renew it.',
  CERT_NOT_YET_VALID: 'It is not valid yet: check the clock of this machine.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    "It is another host's: the ingress shows its default certificate, or ingress.tlsSecret names the wrong one.",
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'It signed itself: the ingress shows its default certificate; or its authority is private, then set NODE_EXTRA_CA_CERTS here, and browsers must know it too.',
  SELF_SIGNED_CERT_IN_CHAIN: 'Its authority is private: set NODE_EXTRA_CA_CERTS here; browsers must know it too.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'The intermediate certificate is missing: the ingress must send the whole chain.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'The intermediate certificate is missing, or its authority is private.',
}
const CONNECTION: Record<string, string> = {
  ENOTFOUND: 'The name service does not know the host: check SUBDOMAIN or PUBLIC_BASE_URL, and its DNS record.',
  ECONNREFUSED: 'Nobody listens there: check the ingress.',
  timeout:
    'It does not answer. From inside the cluster the way to the ingress may be closed: networkPolicy.publicTo of the chart, or run it from a machine outside.',
}

function noConnection(code: string, base: string): Findings {
  const advice = TLS[code]
  if (advice !== undefined)
    return {
      connection: ok(`${base} answers.`),
      certificate: failed(`Browsers do not trust the certificate of ${base} (${code}).`, advice),
    }
  return {
    connection: failed(`${base} cannot be reached from here (${code}).`, CONNECTION[code] ?? CONNECTION['timeout']!),
  }
}

function certificate(ends: number | undefined, now: number): Finding {
  if (ends === undefined) return skipped('browsers use plain HTTP')
  const words = `It is trusted, and ends ${instant(ends)}, in ${Math.floor((ends - now) / 86_400_000)} days.`
  return ends - now > EXPIRES_SOON_MS ? ok(words) : warning(words, 'Renew the certificate of the ingress.')
}

function scheme({ scheme: seen, forwarded_proto: said, peer }: ArrivalReport, base: string): Finding {
  const wanted = base.split(':')[0]!
  if (seen === wanted) return ok(`Requests arrive as ${seen}.`)
  const saw = `Requests arrive as ${seen}, browsers use ${wanted}: every page is refused.`
  if (said === null)
    return failed(`${saw} No X-Forwarded-Proto came from ${peer}.`, 'Have the ingress send X-Forwarded-Proto.')
  if (said.includes(wanted))
    return failed(
      `${saw} ${peer} says ${said}, and is not believed.`,
      `Put ${peer}, or better the range of the ingress controller's pods, into TRUSTED_PROXIES.`,
    )
  return failed(
    `${saw} ${peer} says so.`,
    'TLS ends in front of that proxy: have it pass X-Forwarded-Proto on instead of writing its own.',
  )
}

function clientAddress(
  { client, peer, forwarded_for: said }: ArrivalReport,
  forged: ArrivalReport | undefined,
  { trustedProxies }: Services['config'],
): Finding {
  if (said === null) {
    if (trustedProxies.length === 0) return ok(`Visitors come directly, this one from ${client}.`)
    return failed(
      `No X-Forwarded-For came from ${peer}: all visitors count as one, and limits for one address stop all.`,
      'Have the ingress send X-Forwarded-For.',
    )
  }
  const named = said.split(',').map((part) => part.trim())
  if (client === peer && !named.includes(peer)) {
    return failed(
      `The broker takes the ingress (${peer}) for the visitor: it said ${said}, and is not believed. All visitors count as one.`,
      `Put ${peer}, or better the range of the ingress controller's pods, into TRUSTED_PROXIES.`,
    )
  }
  // Seen from a trusted range, as from a pod, everything in front of us would be believed anyhow.
  if (forged?.client === FORGED && !isAmong(client, trustedProxies)) {
    return warning(
      `What a visitor writes into X-Forwarded-For is believed (${FORGED} was).`,
      'Have the ingress overwrite it, or narrow TRUSTED_PROXIES to the ingress: limits for one address protect nothing now.',
    )
  }
  if (named.length > 1 && client === named.at(-1)) {
    return warning(
      `Visitors come as ${client} by way of ${peer}, which said ${said}.`,
      `If ${client} is a proxy of yours, put it into TRUSTED_PROXIES too; if it is this machine, all is well.`,
    )
  }
  return ok(
    `Visitors come as ${client} by way of ${peer}.`,
    'It must be the address of this machine as the ingress sees it, not that of another proxy.',
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
    'Have the ingress pass Host on. The broker makes no address from it; who reads access logs would look in the wrong place.',
  )
}

async function longUrl(ask: (path: string, more: AskOptions) => Promise<Asked>): Promise<Finding> {
  const tried: string[] = []
  for (const length of LENGTHS) {
    const { why } = await ask(CALLBACK_PATH, { length })
    if (why === undefined && tried.length === 0) return ok(`An address of ${length} bytes arrives whole.`)
    if (why === undefined) return failed(`An address of ${tried.join(', one of ')}; one of ${length} arrives.`, WIDER)
    tried.push(`${length} bytes does not arrive: ${why}`)
  }
  return failed(`An address of ${tried.join(', one of ')}.`, WIDER)
}
const WIDER =
  "Microsoft's answer is a long address. Widen the header buffers of the ingress (ingress-nginx: large-client-header-buffers: 4 32k) and of what stands in front of it."

/** As the broker itself sends them with a page, made here by the same code. */
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
  const visited = await httpGet(`${services.config.publicBaseUrl}${ADMIN_CONSENT_PATH}`)
  if ('failed' in visited) return failed(`The page for administrators does not come (${visited.failed}).`, ROUTE)
  const { headers, status } = visited.answer
  const expected = Object.entries(await expectedHeaders(services))
  const missing = expected.filter(([name]) => headers[name] === undefined).map(([name]) => name)
  // An ingress may say HSTS in its own words.
  const changed = expected
    .filter(
      ([name, value]) => headers[name] !== undefined && headers[name] !== value && name !== 'strict-transport-security',
    )
    .map(([name]) => name)
  if (missing.length + changed.length === 0) return ok('The headers that protect our pages arrive as they were sent.')
  const saw = [
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
    ...(changed.length === 0 ? [] : [`changed: ${changed.join(', ')}`]),
  ].join('; ')
  return failed(
    `Headers that protect our pages do not arrive as sent (${saw}; HTTP ${status}).`,
    'The ingress, or what stands in front of it, takes them away or writes its own: have it leave these paths alone.',
  )
}
