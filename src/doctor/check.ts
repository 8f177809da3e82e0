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
export const SOON = 14 * 86_400_000

export const ok = (saw: string, todo?: string): Finding => ({ result: 'ok', saw, ...(todo === undefined ? {} : { todo }) })
export const warning = (saw: string, todo: string): Finding => ({ result: 'warning', saw, todo })
export const failed = (saw: string, todo: string): Finding => ({ result: 'failed', saw, todo })
export const skipped = (why: string): Finding => ({ result: 'skipped', saw: `skipped, because ${why}` })

/** The worst of several findings about one thing: all that was seen, and all that is to be done about it. */
export function together(findings: readonly Finding[]): Finding {
  const order = ['failed', 'warning', 'ok', 'skipped'] as const
  const result = order.find((candidate) => findings.some((finding) => finding.result === candidate)) ?? 'skipped'
  const todo = [...new Set(findings.flatMap((finding) => finding.todo ?? []))].join('\n')
  return { result, saw: findings.map(({ saw }) => saw).join('\n'), ...(todo === '' ? {} : { todo }) }
}

/** UTC, to the minute. */
export const instant = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`
