/**
 * The broker as the rest of the sandbox, the drills and the benchmarks start it: the real src/main.ts in a process of its own,
 * told everything by environment variables, which are put together here and nowhere else.
 */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateSealingKey } from '../src/crypto/keyring.ts'
import { CALLER_PERMISSIONS } from '../src/signature/callers.ts'
import { type CallerHalf, generateKey } from '../src/signature/keygen.ts'
import { supervise } from './supervise.ts'

/** The name that callers use for the internal listener, whatever its address: what a Kubernetes service would be called. */
export const BROKER_AUTHORITY = 'token-broker.internal'

/** What a deployment makes once and keeps. */
export interface BrokerSecrets {
  sealingKeys: string
  sessionSecrets: string
  /** Contents of the callers file. */
  callers: string
  /** What MEGDocs signs with. */
  megdocsKey: CallerHalf
}

/** `now` in milliseconds; the caller's key lasts 180 days. */
export function generateSecrets(now: number): BrokerSecrets {
  const key = generateKey('hmac-sha256', 'megdocs', now + 180 * 86_400_000, now - 60_000)
  return {
    sealingKeys: generateSealingKey('sandbox-1'),
    sessionSecrets: randomBytes(32).toString('base64url'),
    callers: JSON.stringify(
      { callers: [{ name: 'megdocs', permissions: CALLER_PERMISSIONS, keys: [key.broker] }] },
      null,
      2,
    ),
    megdocsKey: key.caller,
  }
}

export interface BrokerSettings {
  /** One origin with MEGDocs, such as http://localhost:8080. */
  publicBaseUrl: string
  databaseUrl: string
  callersFile: string
  secrets: Pick<BrokerSecrets, 'sealingKeys' | 'sessionSecrets'>
  microsoft: { loginUrl: string; clientId: string; clientSecret: string }
  /** Anything else, or other values for what stands here. */
  more?: Record<string, string>
}

/** The broker's whole environment. Its three listeners take free ports. */
export function brokerEnvironment(settings: BrokerSettings): Record<string, string> {
  const { publicBaseUrl, databaseUrl, callersFile, secrets, microsoft } = settings
  return {
    NODE_ENV: 'production',
    PUBLIC_BASE_URL: publicBaseUrl,
    ENTRY_URL_CONNECT: `${publicBaseUrl}/microsoft/connect`,
    ENTRY_URL_MANAGE: `${publicBaseUrl}/microsoft/manage`,
    COMPLETION_URL: `${publicBaseUrl}/microsoft/connected`,
    MICROSOFT_LOGIN_URL: microsoft.loginUrl,
    MICROSOFT_CLIENT_ID: microsoft.clientId,
    MICROSOFT_CLIENT_SECRET: microsoft.clientSecret,
    MICROSOFT_TENANT: 'common',
    DATABASE_URL: databaseUrl,
    SEALING_KEYS: secrets.sealingKeys,
    SESSION_SECRETS: secrets.sessionSecrets,
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
  /** Sends the signal and resolves with the exit code when the process is over. Default SIGTERM: it drains. */
  stop(signal?: NodeJS.Signals): Promise<number>
  /** Only sends the signal, such as SIGKILL, SIGSTOP or SIGCONT. */
  kill(signal: NodeJS.Signals): void
  /** Everything it has printed. */
  log(): string
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Milliseconds; the design asks for one second on a quiet machine. */
const START_LIMIT = 30_000

/**
 * Starts a broker and resolves when its /readyz says 200. Throws with its log's last lines when it ends before.
 * `logFile`: where its log is added to as well. `root`: of another release's files; default: these.
 */
export async function startBroker(
  env: Record<string, string>,
  options: { logFile?: string; root?: string | undefined } = {},
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
  const child = await supervise([process.execPath, join(root, 'src/main.ts')], {
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
  const limit = performance.now() + START_LIMIT
  while (!(await isReady(urls))) {
    if (child.isOver()) throw new Error(`the broker did not start:\n${lines.slice(-30).join('\n')}`)
    if (performance.now() > limit) {
      await stop('SIGKILL')
      throw new Error(`the broker was not ready within ${START_LIMIT / 1000} s:\n${lines.slice(-30).join('\n')}`)
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
