// How the configuration may be seen: secrets replaced, and objects that print themselves that way.
import { KeyObject, X509Certificate } from 'node:crypto'
import { inspect } from 'node:util'
import type { Config } from '../config.ts'

const HIDDEN = '***'

/** The configuration to print at start: same shape, no secret in it. A client secret shows the 3 characters Azure shows too. */
export function maskedConfig(config: Config): object {
  const { microsoft, database, sealingKeys, sessionSecrets, responseSigningKey } = config
  return {
    ...config,
    microsoft: {
      ...microsoft,
      ...(microsoft.proxy === undefined ? {} : { proxy: withoutPassword(microsoft.proxy) }),
      credentials: microsoft.credentials.map((credential) =>
        credential.kind === 'secret'
          ? { kind: 'secret', secret: `${credential.secret.slice(0, 3)}${HIDDEN}` }
          : { kind: 'certificate', certificate: describe(credential.certificate), privateKey: HIDDEN },
      ),
    },
    database: {
      ...database,
      url: withoutPassword(database.url),
      migrationUrl: withoutPassword(database.migrationUrl),
      ...(database.ca === undefined ? {} : { ca: describe(database.ca) }),
    },
    sealingKeys: sealingKeys.map(({ id }) => `${id}:${HIDDEN}`),
    sessionSecrets: sessionSecrets.map(() => HIDDEN),
    ...(responseSigningKey === undefined ? {} : { responseSigningKey: `${responseSigningKey.keyId}:${HIDDEN}` }),
  }
}

/**
 * Freezes the whole tree and makes each object in it show its masked counterpart to JSON.stringify, util.inspect and
 * String(), and so to any logger. A single string taken out of it shows itself.
 */
export function conceal<T extends object>(node: T, masked: unknown): T {
  // A KeyObject shows nothing of its key, and keeps a cache in itself: it cannot be frozen.
  if (node instanceof KeyObject) return node
  for (const [key, value] of Object.entries(node)) {
    if (typeof value === 'object' && value !== null)
      conceal(value, (masked as Record<string, unknown> | undefined)?.[key])
  }
  if (Object.isFrozen(node)) return node
  Object.defineProperties(node, {
    toJSON: { value: () => masked },
    toString: { value: () => inspect(masked) },
    [inspect.custom]: { value: () => masked },
  })
  return Object.freeze(node)
}

/** As the Azure portal names a certificate: by its SHA-1 thumbprint. */
function describe(pem: string): string {
  const certificate = new X509Certificate(pem)
  return `thumbprint ${certificate.fingerprint.replaceAll(':', '')}, valid to ${certificate.validToDate.toISOString()}`
}

/** The URL of a database or a proxy as it may be shown. */
export function withoutPassword(url: string): string {
  const parsed = new URL(url)
  if (parsed.password !== '') parsed.password = HIDDEN
  return parsed.href
}
