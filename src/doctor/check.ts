import type { Actor } from '../core/failure.ts'

export interface Finding {
  /** `skipped`: something else stands in the way, or there is nothing to look at. */
  readonly result: 'ok' | 'warning' | 'failed' | 'skipped'
  /** What was seen, in plain words; for `skipped`, why. */
  readonly saw: string
  readonly todo?: string
}

export interface Check extends Finding {
  /** Stable: scripts read it. */
  readonly name: string
}

/** Milliseconds before an end (of a key, a certificate) from which on it is a warning. */
export const EXPIRES_SOON_MS = 14 * 86_400_000

export const ok = (saw: string, todo?: string): Finding => ({
  result: 'ok',
  saw,
  ...(todo === undefined ? {} : { todo }),
})
export const warning = (saw: string, todo: string): Finding => ({ result: 'warning', saw, todo })
export const failed = (saw: string, todo: string): Finding => ({ result: 'failed', saw, todo })
export const skipped = (why: string): Finding => ({ result: 'skipped', saw: `skipped, because ${why}` })

/** The worst of several findings about one thing: all that was seen, and all that is to be done about it. */
export function combined(findings: readonly Finding[]): Finding {
  const order = ['failed', 'warning', 'ok', 'skipped'] as const
  const result = order.find((candidate) => findings.some((finding) => finding.result === candidate)) ?? 'skipped'
  const todo = [...new Set(findings.flatMap((finding) => finding.todo ?? []))].join('\n')
  return { result, saw: findings.map(({ saw }) => saw).join('\n'), ...(todo === '' ? {} : { todo }) }
}

/** UTC, to the minute. */
export const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`

/** Who has to do something, and what: how a look at one user or at all of them ends. */
export interface Conclusion extends Finding {
  readonly result: 'ok' | 'warning' | 'failed'
  readonly who_acts: Actor
}

/** Seconds in the largest unit that says enough. */
export function span(seconds: number): string {
  const s = Math.round(Math.abs(seconds))
  for (const [unit, size] of [
    ['day', 86_400],
    ['hour', 3_600],
    ['minute', 60],
  ] as const) {
    const count = Math.floor(s / size)
    if (count > 1 || (count === 1 && unit !== 'minute')) return `${count} ${unit}${count === 1 ? '' : 's'}`
  }
  return `${s} s`
}

/** An instant (ISO 8601) and how long ago it was; `now` in milliseconds. What is no instant stays as it is. */
export function since(iso: string, now: number): string {
  const ms = Date.parse(iso)
  return Number.isNaN(ms)
    ? iso
    : `${instant(ms)} (${ms > now ? `in ${span((ms - now) / 1000)}` : `${span((now - ms) / 1000)} ago`})`
}
