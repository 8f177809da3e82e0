import postgres from 'postgres'
import { databaseFailureKind } from './failure-kinds.ts'

// Several hosts of one database, of which one takes writes (docs/design.md#database). postgres.js can choose by
// `target_session_attrs`, but each of its connections does so alone, and through our sockets it cannot.

/** Per host. A host that is switched off answers nothing at all. */
const PROBE_SECONDS = 2

export interface Hosts {
  /** Index of the host that takes writes. Asks all hosts unless nobody has doubted since the last time. */
  choose(): Promise<number>
  /** Something failed: asks again, and calls `onMove` if another host takes writes now. */
  doubt(): void
}

/**
 * `urls`: of one host each. `onMove`: connections to other hosts must be closed. Rejects with an error whose `code` is
 * that of a host that refuses us for good (a wrong password, a certificate), or `NO_WRITABLE_HOST`.
 */
export function createHosts(
  urls: readonly string[],
  { probe, onMove }: { probe: (url: string) => Promise<boolean>; onMove: () => void },
): Hosts {
  let chosen: number | undefined
  let isTrusted = false
  let asking: Promise<number> | undefined

  async function ask(): Promise<number> {
    isTrusted = true
    const codes: string[] = []
    async function probeHost(index: number): Promise<number> {
      const takesWrites = await probe(urls[index]!).catch((error: unknown) => {
        codes.push(String((error as { code?: unknown }).code))
        throw error
      })
      if (!takesWrites) throw new Error('read-only')
      return index
    }
    try {
      const probes = urls.map((_, index) => probeHost(index))
      const first = Promise.any(probes)
      first.catch(() => {})
      // The host that is in use stays in use while it takes writes: an old primary that comes back must not win.
      const stays = chosen === undefined ? undefined : await probes[chosen]!.catch(() => undefined)
      const found = stays ?? (await first)
      const moved = chosen !== undefined && chosen !== found
      chosen = found
      if (moved) onMove()
      return found
    } catch {
      isTrusted = false
      const refused =
        codes.length === urls.length ? codes.find((code) => databaseFailureKind(code) === 'login') : undefined
      throw Object.assign(new Error('no host takes writes'), { code: refused ?? 'NO_WRITABLE_HOST' })
    }
  }
  const askOnce = (): Promise<number> => (asking ??= ask().finally(() => (asking = undefined)))

  return {
    choose: async () => (isTrusted && asking === undefined && chosen !== undefined ? chosen : askOnce()),
    doubt() {
      if (asking !== undefined) return
      isTrusted = false
      askOnce().catch(() => {})
    },
  }
}

/** Host and port of a URL with one host. An IPv6 address is without its brackets. */
export function placeOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 5432) }
}

/** The same as options of postgres.js 3.4.9. As lists, which its types lack: it splits a text at colons. */
export function placeOptions(url: string): Pick<postgres.Options<Record<string, never>>, 'host' | 'port'> {
  const { host, port } = placeOf(url)
  const options: object = { host: [host], port: [port] }
  return options
}

/** Whether the host of this URL takes writes: neither in hot standby nor read-only. */
export async function takesWrites(url: string, options: postgres.Options<Record<string, never>>): Promise<boolean> {
  const sql = postgres(url, {
    ...placeOptions(url),
    max: 1,
    fetch_types: false,
    prepare: false,
    onnotice: () => {},
    connect_timeout: PROBE_SECONDS,
    ...options,
  })
  const timer = setTimeout(() => void sql.end({ timeout: 0 }), PROBE_SECONDS * 1000)
  try {
    const [row] = await sql`select current_setting('transaction_read_only') = 'off' as writable`
    return row?.['writable'] === true || row?.['writable'] === 't'
  } finally {
    clearTimeout(timer)
    void sql.end({ timeout: 0 })
  }
}
