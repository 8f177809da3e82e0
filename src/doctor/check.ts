import type { Actor } from '../core/failure.ts'
import { describeError } from '../telemetry.ts'

// The words of doctor: a check looks at one thing and makes a finding; a conclusion says who must act on all findings
// together; a report is what doctor prints. At the end of the file: plain text for a terminal.

/** What a check found. */
export interface Finding {
  /** `skipped`: another problem prevents the check, or there is nothing to look at. */
  readonly result: 'ok' | 'warning' | 'failed' | 'skipped'
  /** What was found, in plain words; for `skipped`, why. Never holds a secret. */
  readonly message: string
  /** What to do about it. */
  readonly advice?: string
  /** What was found, for scripts; not in the text. */
  readonly facts?: object
}

export interface Check extends Finding {
  /** Stable: scripts read it. */
  readonly name: string
}

/** Who must act, and how: the end of a report about one user or about all of them. */
export interface Conclusion extends Finding {
  readonly result: 'ok' | 'warning' | 'failed'
  readonly who_acts: Actor
}

/** What doctor prints, as text and as JSON. `failed`: somebody must act. */
export interface Report {
  text: string
  json: object
  failed: boolean
}

/** A key or certificate that expires within this time is a warning. */
export const EXPIRES_SOON_MS = 14 * 86_400_000

export const ok = (message: string, advice?: string): Finding => ({
  result: 'ok',
  message,
  ...(advice === undefined ? {} : { advice }),
})
export const warning = (message: string, advice: string): Finding => ({ result: 'warning', message, advice })
export const failed = (message: string, advice: string): Finding => ({ result: 'failed', message, advice })
export const skipped = (reason: string): Finding => ({ result: 'skipped', message: `Skipped, because ${reason}` })

/**
 * Several findings about one thing as one: the worst result, every message, each advice once, and the first facts.
 */
export function combined(findings: readonly Finding[]): Finding {
  const order = ['failed', 'warning', 'ok', 'skipped'] as const
  const result = order.find((candidate) => findings.some((finding) => finding.result === candidate)) ?? 'skipped'
  const advice = [...new Set(findings.flatMap((finding) => finding.advice ?? []))].join('\n')
  const facts = findings.find((finding) => finding.facts !== undefined)?.facts
  return {
    result,
    message: findings.map(({ message }) => message).join('\n'),
    ...(advice === '' ? {} : { advice }),
    ...(facts === undefined ? {} : { facts }),
  }
}

/**
 * The finding of a check that threw. It names the error and the line, never the error's message, which may quote a
 * secret.
 */
export function defect(name: string, error: unknown): Finding {
  const { type, code, detail, stack } = describeError(error)
  const line = Array.isArray(stack) ? /[\w.-]+:\d+:\d+\)?$/.exec(String(stack[0]))?.[0].replace(')', '') : undefined
  const facts = [type, code, detail, line].filter((fact) => typeof fact === 'string' || typeof fact === 'number')
  return failed(
    `The check ${name} did not complete: ${facts.join(' ')}.`,
    'This is a defect of doctor. The other checks are valid. Report this line to the maintainers of the token broker.',
  )
}

/**
 * Runs one check. Never rejects: a check that throws becomes a failed finding, so that the other checks are still
 * reported.
 */
export async function runCheck(name: string, check: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await check()
  } catch (error) {
    return defect(name, error)
  }
}

/** Runs checks that are made together. Never rejects: if they throw, each of them becomes a failed finding. */
export async function runChecks<N extends string>(
  names: readonly N[],
  checks: () => Promise<Record<N, Finding>>,
): Promise<Partial<Record<N, Finding>>> {
  try {
    return await checks()
  } catch (error) {
    const findings: Partial<Record<N, Finding>> = {}
    for (const name of names) findings[name] = defect(name, error)
    return findings
  }
}

/** A time (milliseconds since the epoch) in UTC, to the minute. */
export const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`

/** Seconds in the largest unit that is precise enough. */
export function formatDuration(seconds: number): string {
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

/** A time (ISO 8601) and how long ago it was; `now` in milliseconds. Text that is not a time stays as it is. */
export function formatAge(iso: string, now: number): string {
  const ms = Date.parse(iso)
  if (Number.isNaN(ms)) return iso
  const age = ms > now ? `in ${formatDuration((ms - now) / 1000)}` : `${formatDuration((now - ms) / 1000)} ago`
  return `${formatTime(ms)} (${age})`
}

/** A heading and the lines below it. */
export const paragraph = (title: string, lines: readonly string[]): string[] => [
  `  ${title}${lines.length === 0 ? ': none' : ''}`,
  ...lines.map((line) => `    ${line}`),
]

/** Rows of cells as aligned lines. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

export const WHO_ACTS: Readonly<Record<Actor, string>> = {
  user: 'the user',
  tenant_admin: "the user's Microsoft administrator",
  ops: 'ops',
  nobody: 'nobody',
}

export function conclusionText({ result, who_acts, message, advice }: Conclusion): string {
  return [
    `${result.padEnd(8)} ${message}`,
    ...(who_acts === 'nobody' ? [] : [`         Who acts: ${WHO_ACTS[who_acts]}`]),
    ...(advice === undefined ? [] : [`         What to do: ${advice}`]),
  ].join('\n')
}

/** The checks in plain words, one after the other, and how many had which result. */
export function checksText(checks: readonly Check[]): string {
  const indented = (text: string): string => text.replaceAll('\n', '\n         ')
  const blocks = checks.map(({ name, result, message, advice }) =>
    [
      `${result.padEnd(8)} ${name.replaceAll('_', ' ')}: ${indented(message)}`,
      ...(advice === undefined ? [] : [`         What to do: ${indented(advice)}`]),
    ].join('\n'),
  )
  const counts = (['ok', 'warning', 'failed', 'skipped'] as const).map(
    (result) => `${checks.filter((check) => check.result === result).length} ${result}`,
  )
  return [...blocks, '', `${counts.join(', ')}.`].join('\n')
}

/** A conclusion on which ops must act. */
export const ops = (result: 'failed' | 'warning', message: string, advice: string): Conclusion => ({
  result,
  who_acts: 'ops',
  message,
  advice,
})
