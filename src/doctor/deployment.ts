import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Config } from '../config.ts'
import { USUAL_PERMISSIONS } from '../core/caller-permissions.ts'
import { cloudOf } from '../microsoft/clouds.ts'
import type { Callers } from '../signature/callers.ts'
import { combined, EXPIRES_SOON_MS, failed, formatTime, ok, warning, type Finding } from './check.ts'

// Checks that need the configuration only. Every `now` is in milliseconds since the epoch.

/** Names of a certificate that a finding shows. */
const MAX_SHOWN_NAMES = 10

export function redirectUri({ redirectUri: uri, microsoft }: Config): Finding {
  return ok(
    uri,
    'Compare it, character by character, with the redirect URIs of the platform "Web" under Authentication of the app ' +
      `registration ${microsoft.clientId} in the Azure portal (${cloudOf(microsoft.loginUrl).portalUrl}).`,
  )
}

export function callers({ list }: Callers, now: number): Finding {
  const unused = USUAL_PERMISSIONS.filter((permission) => !list.some(({ permissions }) => permissions.has(permission)))
  return combined([
    ok(`${list.length} ${list.length === 1 ? 'caller' : 'callers'}: ${list.map(({ name }) => name).join(', ')}.`),
    ...unused.map((permission) =>
      warning(
        `No caller has the permission ${permission}.`,
        'Add it to a caller in CALLERS_FILE, unless no caller needs it.',
      ),
    ),
    ...list.flatMap(({ name, keys }) => {
      const renew =
        `Make a new key with "token-broker keygen caller ${name}". Remove the old key when ${name} no longer ` +
        'signs with it.'
      const valid = keys.filter(({ notBefore, notAfter }) => notBefore <= now && now < notAfter)
      if (valid.length === 0) return [failed(`No key of ${name} is valid now: its requests are refused.`, renew)]
      // A key that expires is no problem if a later key exists.
      const last = valid.reduce((a, b) => (b.notAfter > a.notAfter ? b : a))
      if (last.notAfter - now > EXPIRES_SOON_MS) return []
      return [warning(`The last key of ${name} (${last.keyId}) expires ${formatTime(last.notAfter)}.`, renew)]
    }),
  ])
}

export function sessionSecrets({ sessionSecrets: secrets }: Config): Finding {
  if (secrets.length > 2)
    return warning(
      `${secrets.length} session secrets are accepted.`,
      'A rotation needs two. Remove a secret 30 minutes after it stopped being the first.',
    )
  return ok(
    secrets.length === 1
      ? 'There is one session secret.'
      : 'There are two session secrets: the first signs, both are accepted.',
  )
}

export function internalListener({ listen, internalAuthorities }: Config, now: number): Finding {
  const { tls } = listen.internal
  if (tls === undefined) {
    return warning(
      'The signed API is served by plain HTTP (INTERNAL_PLAIN_HTTP=yes): tokens cross the network unencrypted.',
      'Keep this only if the network encrypts, such as a service mesh. Otherwise set INTERNAL_TLS_CERT_FILE and ' +
        'INTERNAL_TLS_KEY_FILE.',
    )
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(readFileSync(tls.certFile))
  } catch {
    return failed(
      'INTERNAL_TLS_CERT_FILE cannot be read.',
      'Check that the file is mounted and holds a PEM certificate.',
    )
  }
  return combined([expiry(certificate, now), ...missingNames(certificate, internalAuthorities)])
}

function expiry(certificate: X509Certificate, now: number): Finding {
  const end = certificate.validToDate.getTime()
  const renew = 'Renew it and replace the mounted files. The service reads them again within seconds.'
  if (end <= now) return failed(`The certificate of the signed API expired ${formatTime(end)}.`, renew)
  const message = `The certificate of the signed API expires ${formatTime(end)}.`
  return end - now > EXPIRES_SOON_MS ? ok(message) : warning(message, renew)
}

/** Callers connect to these names, and check that the certificate has the name they used. */
function missingNames(certificate: X509Certificate, authorities: readonly string[]): Finding[] {
  const hosts = authorities.map((authority) => authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))
  const missing = [...new Set(hosts)].filter((host) => !hasName(certificate, host))
  if (missing.length === 0) return []
  return [
    warning(
      `The certificate of the signed API lacks ${missing.join(', ')}. ${presentNames(certificate)}`,
      'Callers that use a missing name will refuse the certificate. Issue it with every host of INTERNAL_AUTHORITIES as ' +
        'an alternative name (subjectAltName: DNS for a name, IP for an address).',
    ),
  ]
}

/**
 * RFC 9525: only alternative names count, the Common Name does not. A name never matches an IP entry, nor the reverse.
 */
function hasName(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined
  return certificate.checkHost(host, { subject: 'never' }) !== undefined
}

function presentNames({ subject, subjectAltName }: X509Certificate): string {
  const names = subjectAltName?.split(', ') ?? []
  if (names.length === 0) {
    const commonName = /^CN=(.*)$/m.exec(subject)?.[1]
    return commonName === undefined
      ? 'It has no alternative names.'
      : `It has no alternative names, only the Common Name ${commonName}, which most clients ignore.`
  }
  const more = names.length > MAX_SHOWN_NAMES ? `, and ${names.length - MAX_SHOWN_NAMES} more` : ''
  return `It has ${names.slice(0, MAX_SHOWN_NAMES).join(', ')}${more}.`
}

export function proxies({ publicBaseUrl, trustedProxies }: Config): Finding {
  const https = publicBaseUrl.startsWith('https:')
  if (https && trustedProxies.length === 0) {
    return failed(
      'TRUSTED_PROXIES is empty, and browsers use https. The broker does not trust the X-Forwarded-Proto header of the ' +
        'ingress, so it refuses every page.',
      'Set TRUSTED_PROXIES to the addresses of the ingress, and configure the ingress to send X-Forwarded-Proto.',
    )
  }
  if (!https)
    return warning(
      `Browsers use plain HTTP (${publicBaseUrl}).`,
      'Use this on your own machine only: sign-ins and cookies cross the network unencrypted.',
    )
  return ok(`X-Forwarded-* headers are trusted from ${trustedProxies.join(', ')}.`)
}
