import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Config } from '../config.ts'
import { CALLER_PERMISSIONS } from '../core/caller-permissions.ts'
import type { Callers } from '../signature/callers.ts'
import { failed, instant, ok, EXPIRES_SOON_MS, combined, warning, type Finding } from './check.ts'

// What configuration alone tells. All of `now` in milliseconds since the epoch.

export function redirectUri({ redirectUri: uri, microsoft }: Config): Finding {
  return ok(
    uri,
    `Compare it, character by character, with the redirect URIs of platform "Web" under Authentication of the app registration ${microsoft.clientId} in the Azure portal.`,
  )
}

export function callers({ list }: Callers, now: number): Finding {
  const nobodyMay = CALLER_PERMISSIONS.filter(
    (permission) => !list.some(({ permissions }) => permissions.has(permission)),
  )
  return combined([
    ok(`${list.length} ${list.length === 1 ? 'caller' : 'callers'}: ${list.map(({ name }) => name).join(', ')}.`),
    ...nobodyMay.map((permission) =>
      warning(
        `No caller has the permission ${permission}.`,
        'Add it to a caller in CALLERS_FILE, unless nobody is to have it.',
      ),
    ),
    ...list.flatMap(({ name, keys }) => {
      const make = `Make a new key with "token-broker keygen caller ${name}", and remove the old one when it is no longer used.`
      const valid = keys.filter(({ notBefore, notAfter }) => notBefore <= now && now < notAfter)
      if (valid.length === 0) return [failed(`No key of ${name} is valid now: it is refused.`, make)]
      // A key that ends is no news while a later one is there.
      const last = Math.max(...valid.map(({ notAfter }) => notAfter))
      return last - now > EXPIRES_SOON_MS
        ? []
        : [
            warning(
              `The last key of ${name} (${valid.find(({ notAfter }) => notAfter === last)!.keyId}) ends ${instant(last)}.`,
              make,
            ),
          ]
    }),
  ])
}

export function sessionSecrets({ sessionSecrets: secrets }: Config): Finding {
  if (secrets.length > 2)
    return warning(
      `${secrets.length} session secrets are accepted.`,
      'A rotation needs two: remove those that have not signed for 30 minutes.',
    )
  return ok(secrets.length === 1 ? 'One session secret.' : 'Two session secrets: the first signs, both are accepted.')
}

export function internalListener({ listen, internalAuthorities }: Config, now: number): Finding {
  const { tls } = listen.internal
  if (tls === undefined) {
    return warning(
      'The signed API is served by plain HTTP (INTERNAL_PLAIN_HTTP=yes): tokens cross the network as they are.',
      'Keep it only where the network encrypts, such as a service mesh; else set INTERNAL_TLS_CERT_FILE and INTERNAL_TLS_KEY_FILE.',
    )
  }
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(readFileSync(tls.certFile))
  } catch {
    return failed('INTERNAL_TLS_CERT_FILE cannot be read.', 'Check that it is mounted, and PEM.')
  }
  const end = certificate.validToDate.getTime()
  const renew = 'Renew it and replace the mounted files; the service reads them again by itself.'
  const unnamed = internalAuthorities.filter(
    (authority) => !isNamed(certificate, authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')),
  )
  return combined([
    end <= now
      ? failed(`The certificate of the signed API ended ${instant(end)}.`, renew)
      : end - now <= EXPIRES_SOON_MS
        ? warning(`The certificate of the signed API ends ${instant(end)}.`, renew)
        : ok(`The certificate of the signed API ends ${instant(end)}.`),
    ...unnamed.map((authority) =>
      warning(
        `The certificate does not name ${authority}.`,
        'Callers that verify it will refuse: have it issued for every host in INTERNAL_AUTHORITIES.',
      ),
    ),
  ])
}

function isNamed(certificate: X509Certificate, host: string): boolean {
  return certificate.checkHost(host) !== undefined || certificate.checkIP(host) !== undefined
}

export function proxies({ publicBaseUrl, trustedProxies }: Config): Finding {
  const https = publicBaseUrl.startsWith('https:')
  if (https && trustedProxies.length === 0) {
    return failed(
      "TRUSTED_PROXIES is empty, and browsers use https: the ingress' word that they did is not believed, so every page would be refused.",
      'Set TRUSTED_PROXIES to the addresses of the ingress, and have it send X-Forwarded-Proto.',
    )
  }
  if (!https)
    return warning(
      `Browsers use plain HTTP (${publicBaseUrl}).`,
      "Only for a machine of one's own: sign-ins and cookies cross the network as they are.",
    )
  return ok(`X-Forwarded-* is believed from ${trustedProxies.join(', ')}.`)
}
