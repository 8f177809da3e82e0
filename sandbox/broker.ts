/**
 * Starts the broker for the sandbox, the drills and the benchmarks: the real src/main.ts in a separate process. Its
 * environment is built in this file only.
 */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateSealingKey } from '../src/crypto/keyring.ts'
import { CALLER_PERMISSIONS } from '../src/signature/callers.ts'
import { type CallerHalf, generateKey } from '../src/signature/keygen.ts'
import { supervise } from './supervise.ts'

/** The host name that callers use for the internal listener, independent of its address, like the name of a service. */
export const BROKER_AUTHORITY = 'token-broker.internal'

/** The secrets that a deployment generates once and keeps. */
export interface BrokerSecrets {
  sealingKeys: string
  sessionSecrets: string
  auditKeys: string
  /** Content of the callers file. */
  callers: string
  /** The key that MEGDocs signs with. */
  megdocsKey: CallerHalf
}

/** `now` in milliseconds since the epoch. The caller's key is valid for 180 days. `more`: members of the caller. */
export function generateSecrets(now: number, more: { claims_challenges?: boolean } = {}): BrokerSecrets {
  const key = generateKey('hmac-sha256', 'megdocs', now + 180 * 86_400_000, now - 60_000)
  return {
    sealingKeys: generateSealingKey('sandbox-1'),
    sessionSecrets: randomBytes(32).toString('base64url'),
    auditKeys: generateSealingKey('audit-1'),
    callers: JSON.stringify(
      { callers: [{ name: 'megdocs', permissions: CALLER_PERMISSIONS, keys: [key.broker], ...more }] },
      null,
      2,
    ),
    megdocsKey: key.caller,
  }
}

export interface BrokerSettings {
  /** The same origin as MEGDocs, such as http://localhost:8080. */
  publicBaseUrl: string
  databaseUrl: string
  callersFile: string
  secrets: Pick<BrokerSecrets, 'sealingKeys' | 'sessionSecrets' | 'auditKeys'>
  microsoft: { loginUrl: string; clientId: string; clientSecret: string }
  /** Further variables; they also override the ones above. */
  more?: Record<string, string>
}

/** The whole environment of the broker. Its three listeners use free ports. */
export function brokerEnvironment(settings: BrokerSettings): Record<string, string> {
  const { publicBaseUrl, databaseUrl, callersFile, secrets, microsoft } = settings
  return {
    NODE_ENV: 'production',
    PUBLIC_BASE_URL: publicBaseUrl,
    ENTRY_URL_CONNECT: `${publicBaseUrl}/microsoft/connect`,
    ENTRY_URL_MANAGE: `${publicBaseUrl}/microsoft/manage`,
    COMPLETION_URL: `${publicBaseUrl}/microsoft/connected`,
    SUPPORT_CONTACT: 'support@megdocs.example',
    PUBLISHER_NAME: 'MEGDocs (sandbox)',
    PUBLISHER_CONTACT: 'security@megdocs.example',
    PRIVACY_NOTICE_URL: 'https://megdocs.example/privacy',
    MICROSOFT_LOGIN_URL: microsoft.loginUrl,
    MICROSOFT_CLIENT_ID: microsoft.clientId,
    MICROSOFT_CLIENT_SECRET: microsoft.clientSecret,
    MICROSOFT_TENANT: 'common',
    DATABASE_URL: databaseUrl,
    SEALING_KEYS: secrets.sealingKeys,
    SESSION_SECRETS: secrets.sessionSecrets,
    AUDIT_KEYS: secrets.auditKeys,
    CALLERS_FILE: callersFile,
    PUBLIC_LISTEN: '127.0.0.1:0',
    INTERNAL_LISTEN: '127.0.0.1:0',
    OPERATIONS_LISTEN: '127.0.0.1:0',
    INTERNAL_AUTHORITIES: BROKER_AUTHORITY,
    INTERNAL_PLAIN_HTTP: 'yes',
    TRUSTED_PROXIES: '127.0.0.1/32',
    DRAIN_SECONDS: '0',
    ...settings.more,
  }
}

export interface Broker {
  publicUrl: string
  internalUrl: string
  operationsUrl: string
  pid: number
  /** Resolves with the exit code. */
  ended: Promise<number>
  isOver(): boolean
  /** Sends the signal. Resolves with the exit code when the process has ended. Default: SIGTERM, which drains. */
  stop(signal?: NodeJS.Signals): Promise<number>
  /** Only sends the signal, for example SIGKILL, SIGSTOP or SIGCONT. */
  kill(signal: NodeJS.Signals): void
  /** Everything that it has printed. */
  log(): string
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Generous: on an idle machine the start takes less than a second (docs/design.md#figures). */
const START_TIMEOUT_MS = 30_000

/**
 * Starts a broker and resolves when its /readyz answers 200. If it ends earlier, throws with the last lines of its log.
 * `logFile`: a file that the log is appended to. `root`: the files of another release; default: this one.
 * `nodeFlags`: such as those of the image. `built`: what `npm run build` has made, as in the image.
 */
export async function startBroker(
  env: Record<string, string>,
  options: { logFile?: string; root?: string | undefined; nodeFlags?: readonly string[]; built?: boolean } = {},
): Promise<Broker> {
  const lines: string[] = []
  const urls = new Map<string, string>()
  const file =
    options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a', mode: 0o600 })
  function take(line: string): void {
    lines.push(line)
    file?.write(`${line}\n`)
    const listening = /"msg":"listening"/.test(line)
      ? (JSON.parse(line) as { listener: string; url: string })
      : undefined
    if (listening) urls.set(listening.listener, listening.url)
  }
  const root = options.root ?? ROOT
  const entry = join(root, options.built === true ? 'dist/main.js' : 'src/main.ts')
  const child = await supervise([process.execPath, ...(options.nodeFlags ?? []), entry], {
    env: { PATH: '/usr/bin:/bin', ...env },
    cwd: root,
    lastSignal: 'TERM',
    onOutput: take,
    onError: take,
  })
  void child.ended.then(() => file?.end())
  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    child.kill(signal)
    return child.ended
  }
  const limit = performance.now() + START_TIMEOUT_MS
  while (!(await isReady(urls))) {
    if (child.isOver()) throw new Error(`the broker did not start:\n${lines.slice(-30).join('\n')}`)
    if (performance.now() > limit) {
      await stop('SIGKILL')
      throw new Error(`the broker was not ready within ${START_TIMEOUT_MS / 1000} s:\n${lines.slice(-30).join('\n')}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return {
    publicUrl: urls.get('public')!,
    internalUrl: urls.get('internal')!,
    operationsUrl: urls.get('operations')!,
    pid: child.pid,
    ended: child.ended,
    isOver: child.isOver,
    stop,
    kill: child.kill,
    log: () => lines.join('\n'),
  }
}

async function isReady(urls: ReadonlyMap<string, string>): Promise<boolean> {
  const operations = urls.get('operations')
  if (operations === undefined || urls.size < 3) return false
  const answer = await fetch(`${operations}/readyz`).catch(() => undefined)
  await answer?.arrayBuffer()
  return answer?.status === 200
}
