// The configuration without its secrets, and objects that print themselves without their secrets.
import { KeyObject, X509Certificate } from 'node:crypto'
import { inspect } from 'node:util'
import type { Config } from './config-type.ts'
import type { ClientCredential } from './secrets.ts'

const HIDDEN = '***'

/**
 * The configuration for the log, with every secret masked. A client secret keeps the 3 characters that Azure shows too.
 */
export function maskedConfig(config: Config): object {
  const { microsoft, database, sealingKeys, auditKeys, sessionSecrets, responseSigningKey } = config
  return {
    ...config,
    microsoft: {
      ...microsoft,
      ...(microsoft.proxy === undefined ? {} : { proxy: withoutPassword(microsoft.proxy) }),
      credentials: microsoft.credentials.map(maskedCredential),
      previousClients: microsoft.previousClients.map(({ clientId, credentials }) => ({
        clientId,
        credentials: credentials.map(maskedCredential),
      })),
    },
    database: {
      ...database,
      url: withoutPassword(database.url),
      ...(database.otherUrls === undefined ? {} : { otherUrls: database.otherUrls.map(withoutPassword) }),
      migrationUrls: database.migrationUrls.map(withoutPassword),
      ...(database.ca === undefined ? {} : { ca: describe(database.ca) }),
    },
    sealingKeys: sealingKeys.map(({ id }) => `${id}:${HIDDEN}`),
    auditKeys: auditKeys.map(({ id }) => `${id}:${HIDDEN}`),
    sessionSecrets: sessionSecrets.map(() => HIDDEN),
    ...(responseSigningKey === undefined ? {} : { responseSigningKey: `${responseSigningKey.keyId}:${HIDDEN}` }),
  }
}

function maskedCredential(credential: ClientCredential): object {
  switch (credential.kind) {
    case 'secret':
      return { kind: 'secret', secret: `${credential.secret.slice(0, 3)}${HIDDEN}` }
    case 'certificate':
      return { kind: 'certificate', certificate: describe(credential.certificate), privateKey: HIDDEN }
    case 'federated':
      return { kind: 'federated', file: credential.file }
  }
}

/**
 * Freezes the whole tree, and makes JSON.stringify, util.inspect and String(), and so any logger, print the masked
 * counterpart of each object in it. A single string read from it is not masked.
 */
export function conceal<T extends object>(node: T, masked: unknown): T {
  // A KeyObject prints nothing of its key. It has a cache inside, so it must not be frozen.
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

/** The Azure portal identifies a certificate by its SHA-1 thumbprint. */
function describe(pem: string): string {
  const certificate = new X509Certificate(pem)
  return `thumbprint ${certificate.fingerprint.replaceAll(':', '')}, valid to ${certificate.validToDate.toISOString()}`
}

/** The URL of a database or a proxy with its password masked. */
export function withoutPassword(url: string): string {
  const parsed = new URL(url)
  if (parsed.password !== '') parsed.password = HIDDEN
  return parsed.href
}
