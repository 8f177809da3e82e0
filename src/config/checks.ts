// Checks of several variables together, and of files that are read again later but must be valid at the start.
import { CallersError, parseCallers } from '../signature/callers.ts'
import { readNamedFile } from './environment.ts'
import type { Files } from './environment.ts'
import type { Problems } from './problems.ts'
import { certificateFits, pair } from './secrets.ts'
import { Invalid } from './values.ts'
import type { Name, Values } from './variables.ts'

/** Reports every problem between variables. `now` in milliseconds. */
export function checkCombinations(values: Values, files: Files, now: number, problems: Problems): void {
  checkUrls(values, problems)
  checkMicrosoft(values, problems)
  checkDatabase(values, problems)
  checkListeners(values, files, problems)
  checkCallers(values, files, now, problems)
  const { KEEP_ALIVE_AFTER_DAYS: keepAlive = 0, LET_GO_AFTER_DAYS: letGo = Infinity } = values
  if (letGo <= keepAlive) problems.report('LET_GO_AFTER_DAYS', 'is not more than KEEP_ALIVE_AFTER_DAYS')
}

/** A template may leave SUBDOMAIN empty beside PUBLIC_BASE_URL; then it has no meaning. */
export function publicBase({ PUBLIC_BASE_URL: base, SUBDOMAIN: subdomain = '' }: Values): string {
  return base ?? `https://audits${subdomain}.megsupportools.com`
}

function checkUrls(values: Values, problems: Problems): void {
  const { SUBDOMAIN: subdomain, PUBLIC_BASE_URL: given, REDIRECT_URI: redirect, COMPLETION_URL: completion } = values
  if (given !== undefined && subdomain)
    problems.report('PUBLIC_BASE_URL', 'is set although SUBDOMAIN is: only one may be')
  if (given === undefined && subdomain === undefined) {
    reportUnset(['SUBDOMAIN', 'PUBLIC_BASE_URL'], problems)
    return
  }
  const base = new URL(publicBase(values))
  if (redirect !== undefined) {
    const { protocol, hostname } = new URL(redirect)
    // The session cookie belongs to the host: on another host every sign-in would come back without it.
    const same = protocol === base.protocol && hostname === base.hostname
    if (!same) problems.report('REDIRECT_URI', 'is not on the scheme and host of the public base URL')
  }
  if (base.protocol === 'https:') {
    for (const name of ['ENTRY_URL_CONNECT', 'ENTRY_URL_MANAGE', 'COMPLETION_URL'] as const) {
      if (values[name]?.protocol === 'http:') problems.report(name, 'is http although the public base URL is https')
    }
  }
  for (const name of ['connect_session', 'handle']) {
    if (completion?.searchParams.has(name))
      problems.report('COMPLETION_URL', `has ${name} in its query, which the broker adds`)
  }
}

const CREDENTIALS = ['MICROSOFT_CLIENT_SECRET', 'MICROSOFT_CLIENT_CERTIFICATE', 'MICROSOFT_CLIENT_KEY'] as const

function checkMicrosoft(values: Values, problems: Problems): void {
  const {
    MICROSOFT_CLIENT_CERTIFICATE: certificates,
    MICROSOFT_CLIENT_KEY: keys,
    MICROSOFT_CLIENT_SECRET: secrets,
    MICROSOFT_FEDERATED_TOKEN_FILE: federated,
  } = values
  if (federated !== undefined) {
    // With both, nobody could say which of the two Microsoft is asked with, or whether the secret may be deleted.
    const others = CREDENTIALS.filter((name) => values[name] !== undefined)
    for (const name of others) problems.report(name, 'is set although MICROSOFT_FEDERATED_TOKEN_FILE is: remove one')
  } else if (certificates !== undefined && keys !== undefined) {
    try {
      pair(certificates, keys)
    } catch (error) {
      if (!(error instanceof Invalid)) throw error
      for (const problem of error.problems) problems.report('MICROSOFT_CLIENT_KEY', problem)
    }
  } else if (certificates !== undefined && !problems.has('MICROSOFT_CLIENT_KEY')) {
    problems.report('MICROSOFT_CLIENT_KEY', 'is not set, and MICROSOFT_CLIENT_CERTIFICATE is')
  } else if (keys !== undefined && !problems.has('MICROSOFT_CLIENT_CERTIFICATE')) {
    problems.report('MICROSOFT_CLIENT_CERTIFICATE', 'is not set, and MICROSOFT_CLIENT_KEY is')
  } else if (certificates === undefined && secrets === undefined) {
    reportUnset(['MICROSOFT_CLIENT_SECRET', 'MICROSOFT_CLIENT_CERTIFICATE', 'MICROSOFT_FEDERATED_TOKEN_FILE'], problems)
  }

  const { MICROSOFT_CLIENT_ID: clientId, MICROSOFT_PREVIOUS_CLIENTS: previous = [] } = values
  if (previous.some((client) => client.clientId === clientId))
    problems.report('MICROSOFT_PREVIOUS_CLIENTS', 'has an entry for MICROSOFT_CLIENT_ID itself')

  const { MICROSOFT_PERMISSIONS: permissions = [] } = values
  if (values.MICROSOFT_TENANT === 'consumers' && permissions.some((scope) => scope.startsWith('Sites.')))
    problems.report('MICROSOFT_PERMISSIONS', 'has a permission on sites, which personal accounts do not have')

  const { MICROSOFT_TENANT: tenant, ALLOWED_TENANTS: allowed } = values
  if (tenant !== undefined && allowed !== undefined && /^[0-9a-f]{8}-/.test(tenant) && !allowed.includes(tenant)) {
    problems.report('ALLOWED_TENANTS', 'does not include the tenant of MICROSOFT_TENANT: no user could connect')
  }
}

/** DATABASE_CA asks for verification, and sslmode may forbid it. */
export function checkDatabase({ DATABASE_CA: ca, ...values }: Values, problems: Problems): void {
  if (ca === undefined) return
  for (const name of ['DATABASE_URL', 'DATABASE_MIGRATION_URL'] as const) {
    const mode = values[name] === undefined ? null : new URL(values[name][0]).searchParams.get('sslmode')
    if (mode === null || mode === 'verify-full') continue
    problems.report(name, 'has another sslmode than verify-full, although DATABASE_CA is set')
  }
}

function checkListeners(values: Values, files: Files, problems: Problems): void {
  const seen = new Set<string>()
  for (const name of ['PUBLIC_LISTEN', 'INTERNAL_LISTEN', 'OPERATIONS_LISTEN'] as const) {
    const { host, port } = values[name] ?? { host: '', port: 0 }
    if (port !== 0 && seen.has(`${host} ${port}`)) problems.report(name, 'is the same as that of another listener')
    seen.add(`${host} ${port}`)
  }

  const { INTERNAL_PLAIN_HTTP: plain, INTERNAL_TLS_CERT_FILE: certFile, INTERNAL_TLS_KEY_FILE: keyFile } = values
  if (plain === 'yes' && (certFile ?? keyFile) !== undefined) {
    problems.report('INTERNAL_PLAIN_HTTP', 'is yes although INTERNAL_TLS_CERT_FILE or INTERNAL_TLS_KEY_FILE is set')
    return
  }
  if (plain !== 'no') return
  const read = (name: 'INTERNAL_TLS_CERT_FILE' | 'INTERNAL_TLS_KEY_FILE') => {
    const path = values[name]
    if (path !== undefined) return readNamedFile(path, name, files, problems)
    if (!problems.has(name))
      problems.report(name, 'is not set, and plain HTTP was not chosen (INTERNAL_PLAIN_HTTP=yes)')
    return undefined
  }
  const certificate = read('INTERNAL_TLS_CERT_FILE')
  const key = read('INTERNAL_TLS_KEY_FILE')
  if (certificate && key && !certificateFits(certificate, key)) {
    problems.report(
      'INTERNAL_TLS_CERT_FILE',
      'does not hold the certificate of the private key in INTERNAL_TLS_KEY_FILE',
    )
  }
}

function checkCallers(values: Values, files: Files, now: number, problems: Problems): void {
  if (values.CALLERS_FILE === undefined) return
  const json = readNamedFile(values.CALLERS_FILE, 'CALLERS_FILE', files, problems)
  if (!json) return
  try {
    const { list } = parseCallers(json, now)
    const answered = list.filter(({ signResponses }) => signResponses).flatMap(({ keys }) => keys)
    const needsKey = answered.some(({ algorithm }) => algorithm === 'ed25519')
    if (needsKey && values.RESPONSE_SIGNING_KEY === undefined && !problems.has('RESPONSE_SIGNING_KEY')) {
      problems.report('RESPONSE_SIGNING_KEY', 'is not set, and a caller has an ed25519 key')
    }
    // Tokens are shared: one that lives for a day must not reach a caller that ignores its revocation.
    const ignorant = list.filter(
      ({ permissions, claimsChallenges }) => permissions.has('tokens:read') && !claimsChallenges,
    )
    if (values.CONTINUOUS_ACCESS_EVALUATION === 'on' && ignorant.length > 0) {
      const names = ignorant.map(({ name }) => name).join(', ')
      problems.report(
        'CONTINUOUS_ACCESS_EVALUATION',
        `is on, and these callers with tokens:read do not have "claims_challenges": true: ${names}`,
      )
    }
  } catch (error) {
    if (!(error instanceof CallersError)) throw error
    for (const { path, expected } of error.problems) problems.report('CALLERS_FILE', `at ${path}: expected ${expected}`)
  }
}

/** One of these is required, and none is set, nor reported as wrong. */
function reportUnset(names: readonly [Name, ...Name[]], problems: Problems): void {
  const [first, ...others] = names
  if (!names.some((name) => problems.has(name))) problems.report(first, `is not set, nor is ${others.join(' or ')}`)
}
