import type { Contact } from '../core/contact.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { SigningKey } from '../signature/keys.ts'
import type { ConfigProblem } from './problems.ts'
import type { PreviousClient } from './previous-clients.ts'
import type { ClientCredential } from './secrets.ts'
import type { ListenAddress } from './values.ts'

/** The configuration of one process. Every list of keys, secrets or credentials has the newest first. */
export interface Config {
  /** Scheme and host, no slash at the end. */
  readonly publicBaseUrl: string
  /** Sent to Microsoft exactly as it is. */
  readonly redirectUri: string
  readonly microsoft: {
    readonly clientId: string
    /** Certificates before secrets, or a federated token alone. At least one. */
    readonly credentials: readonly ClientCredential[]
    /** Registrations of stored integrations, beside the current one. */
    readonly previousClients: readonly PreviousClient[]
    /** Names of core/microsoft-permissions.ts. At least one. */
    readonly permissions: readonly string[]
    /** organizations, common, consumers, a tenant id or a domain. */
    readonly tenant: string
    /** Tenant ids in lower case; empty: all tenants that `tenant` allows. */
    readonly allowedTenants: readonly string[]
    /** Declare the client capability cp1. */
    readonly continuousAccessEvaluation: boolean
    /** No slash at the end. */
    readonly loginUrl: string
    /** URL of the proxy on the way to Microsoft. */
    readonly proxy?: string
  }
  readonly database: {
    readonly url: string
    /** The same database on other hosts. */
    readonly otherUrls?: readonly string[]
    /** One for each host, of the role that migrates. */
    readonly migrationUrls: readonly [string, ...string[]]
    readonly prepare: boolean
    readonly batches: boolean
    readonly poolSize: number
    /** Milliseconds. */
    readonly timeoutMs: number
    /** PEM. */
    readonly ca?: string
  }
  readonly sealingKeys: Keyring
  readonly sessionSecrets: readonly string[]
  /** Newest first. Empty: audit lines are numbered, and nothing proves that they are unchanged. */
  readonly auditKeys: Keyring | readonly []
  readonly auditMode: 'required' | 'best-effort'
  readonly callersFile: string
  /** The limit of one caller at one replica. */
  readonly callerRequestsPerMinute: number
  readonly responseSigningKey?: SigningKey
  readonly entryUrls: { readonly connect: string; readonly manage: string }
  readonly completionUrl: string
  /** What pages tell people about who stands behind MEGDocs. */
  readonly people: {
    readonly support?: Contact
    readonly publisher?: string
    readonly publisherContact?: Contact
    readonly privacyNoticeUrl?: string
  }
  readonly listen: {
    readonly public: ListenAddress
    /** Without `tls` the listener speaks plain HTTP, by choice. */
    readonly internal: ListenAddress & { readonly tls?: { readonly certFile: string; readonly keyFile: string } }
    readonly operations: ListenAddress
  }
  /** Operations listeners of all replicas; empty: not configured. */
  readonly operationsReplicas: readonly ListenAddress[]
  /** As in Host headers, lower case. */
  readonly internalAuthorities: readonly string[]
  /** Addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[]
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  readonly keepAlive: { readonly afterDays: number; readonly letGoAfterDays: number }
  /** User id of the canary account; absent: there is none. */
  readonly canaryUser?: string
  /** Different users of one caller key in an hour. */
  readonly harvest: { readonly alertAbove?: number; readonly freezeAbove?: number }
  readonly drainSeconds: number
  /** Variables that look like ours and have no effect. They are logged at the start. */
  readonly warnings: readonly ConfigProblem[]
}
