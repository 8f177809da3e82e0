import { X509Certificate } from 'node:crypto'
import type { Config } from '../config.ts'
import { failed, instant, ok, EXPIRES_SOON_MS, combined, warning, type Finding } from './check.ts'

const HERE = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|%2f.*)$/i

/** Whether what goes to Postgres can be read or bent on the way, as the driver takes DATABASE_URL. `now` in milliseconds. */
export function databaseEncryption({ database: { url, ca } }: Config, now: number): Finding {
  const { hostname, searchParams } = new URL(url)
  if (ca !== undefined)
    return combined([ok('The way to Postgres is encrypted, and its certificate verified.'), ...authorities(ca, now)])
  if (HERE.test(hostname)) return ok('Postgres is on this machine.')
  const mode = searchParams.get('sslmode') ?? 'disable'
  if (mode === 'verify-full') return ok('The way to Postgres is encrypted, and its certificate verified.')
  const verify =
    'Set sslmode=verify-full in DATABASE_URL, and DATABASE_CA if its authority is private; keep it only where the network encrypts.'
  if (mode === 'require')
    return warning(
      'The way to Postgres is encrypted, but anybody could be at its end: sslmode=require verifies no certificate.',
      verify,
    )
  return warning(
    `The way to Postgres (${hostname}) ${mode === 'prefer' ? 'may not be' : 'is not'} encrypted: the password and user ids can be read on it, and answers changed.`,
    verify,
  )
}

/** Several are there while one replaces another: the one that ends last counts. */
function authorities(pem: string, now: number): Finding[] {
  const ends = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) =>
    new X509Certificate(one).validToDate.getTime(),
  )
  const last = Math.max(...ends)
  const renew = 'Put the new authority beside it in DATABASE_CA before the certificate of Postgres is renewed.'
  if (last <= now) return [failed(`The authority in DATABASE_CA ended ${instant(last)}.`, renew)]
  return last - now > EXPIRES_SOON_MS ? [] : [warning(`The authority in DATABASE_CA ends ${instant(last)}.`, renew)]
}
