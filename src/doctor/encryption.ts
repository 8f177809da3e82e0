import { X509Certificate } from 'node:crypto'
import type { Config } from '../config.ts'
import { combined, EXPIRES_SOON_MS, failed, formatTime, ok, warning, type Finding } from './check.ts'

const THIS_MACHINE = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|%2f.*)$/i

/** Whether traffic to Postgres can be read or changed on the network. `now` in milliseconds. */
export function databaseEncryption({ database: { url, otherUrls = [], ca } }: Config, now: number): Finding {
  const { hostname, searchParams } = new URL(url)
  const verified = ok('The connection to Postgres is encrypted, and its certificate is verified.')
  if (ca !== undefined) return combined([verified, ...authorities(ca, now)])
  if ([url, ...otherUrls].every((one) => THIS_MACHINE.test(new URL(one).hostname)))
    return ok('Postgres runs on this machine.')
  const mode = searchParams.get('sslmode') ?? 'disable'
  if (mode === 'verify-full') return verified
  const verify =
    'Set sslmode=verify-full in DATABASE_URL, and DATABASE_CA if the certificate authority is private. Keep this setting ' +
    'only if the network encrypts.'
  if (mode === 'require')
    return warning(
      'The connection to Postgres is encrypted, but sslmode=require verifies no certificate: another server could answer.',
      verify,
    )
  return warning(
    `The connection to Postgres (${hostname}) ${mode === 'prefer' ? 'may not be' : 'is not'} encrypted: the password and ` +
      'user ids can be read on the network, and answers can be changed.',
    verify,
  )
}

/** During a rotation there are several authorities. The one that expires last counts. */
function authorities(pem: string, now: number): Finding[] {
  const ends = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) =>
    new X509Certificate(one).validToDate.getTime(),
  )
  const last = Math.max(...ends)
  const renew = 'Add the new authority to DATABASE_CA before the certificate of Postgres is renewed.'
  if (last <= now) return [failed(`The authority in DATABASE_CA expired ${formatTime(last)}.`, renew)]
  if (last - now > EXPIRES_SOON_MS) return []
  return [warning(`The authority in DATABASE_CA expires ${formatTime(last)}.`, renew)]
}
