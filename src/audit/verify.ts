import type { AuditHead, AuditKey } from '../core/audit.ts'
import { judgeLine, type ReadLine } from './parse-line.ts'

// Verifies stored audit lines (docs/design.md#audit): of several replicas, in any order, between other lines. It keeps
// ranges of numbers and not the lines, so that a year of logs fits into memory.

/** Where a line was read. */
export interface Place {
  readonly file: string
  readonly line: number
}

export type Finding =
  | { kind: 'missing'; life: string; from: number; to: number; seenBy?: 'other replicas' }
  | { kind: 'altered'; life: string; number: number; why: string; place: Place }
  | { kind: 'doubled'; life: string; number: number; place: Place }
  | { kind: 'foreign'; why: string; place: Place }
  /** Two lines that follow each other by number, and not by MAC: only somebody with the key can do that. */
  | { kind: 'broken'; life: string; number: number }
  /** A line that ended in the middle: its process was killed. No token was sent for it. */
  | { kind: 'unfinished'; life?: string; number?: number; place: Place }

export interface Life {
  life: string
  /** Complete from number 1 to this one; 0: not even the first. */
  completeTo: number
  /** The highest number in these files, and lines with a right MAC (without keys: lines). */
  highest: number
  lines: number
  /** ISO 8601: time of the first and of the last line. */
  first: string
  last: string
  /** The process ended in order, and this is its last line. */
  ended: boolean
  /** The newest line that other replicas saw in the database. */
  seenByOthers?: number
  version?: string
}

export interface AuditReport {
  lives: Life[]
  findings: Finding[]
  /** False: no keys were given, so nothing proves that lines are unchanged. */
  proven: boolean
  /** Nothing is missing, altered, doubled or foreign. Unfinished lines do not count. */
  whole: boolean
}

export interface Verifier {
  /** One line without its line break. `complete`: it had one. */
  take(text: string, place: Place, complete: boolean): void
  report(): AuditReport
}

interface Range {
  from: number
  to: number
  /** MAC before the first line and of the last one; undefined where a line was altered. */
  prev: string | undefined
  mac: string | undefined
}

interface State {
  ranges: Range[]
  lines: number
  first: string
  last: string
  endedAt: number | undefined
  version: string | undefined
}

export interface VerifyOptions {
  keys: readonly AuditKey[]
  /** The files begin in the middle: lines before the first of each life are not missed. */
  partial?: boolean
  /** Called for each line that holds. */
  onLine?: (line: ReadLine) => void
}

export function createVerifier({ keys, partial = false, onLine = () => {} }: VerifyOptions): Verifier {
  const lives = new Map<string, State>()
  const heads = new Map<string, AuditHead>()
  const findings: Finding[] = []
  const torn: { life?: string; number?: number; place: Place }[] = []

  function stateOf(life: string): State {
    let state = lives.get(life)
    if (state === undefined) {
      state = { ranges: [], lines: 0, first: '', last: '', endedAt: undefined, version: undefined }
      lives.set(life, state)
    }
    return state
  }

  /** False: the number was there already. */
  function place(life: string, number: number, prev: string | undefined, mac: string | undefined): boolean {
    const { ranges } = stateOf(life)
    // Almost always the end of the last range.
    let at = ranges.length
    while (at > 0 && ranges[at - 1]!.from > number) at--
    const before = ranges[at - 1]
    if (before !== undefined && number <= before.to) return false
    ranges.splice(at, 0, { from: number, to: number, prev, mac })
    join(life, ranges, at)
    if (at > 0) join(life, ranges, at - 1)
    return true
  }

  /** Joins a range with the next one if they meet. */
  function join(life: string, ranges: Range[], at: number): void {
    const [left, right] = [ranges[at], ranges[at + 1]]
    if (left === undefined || right === undefined || left.to + 1 !== right.from) return
    if (left.mac !== undefined && right.prev !== undefined && left.mac !== right.prev)
      findings.push({ kind: 'broken', life, number: right.from })
    ranges.splice(at, 2, { from: left.from, to: right.to, prev: left.prev, mac: right.mac })
  }

  function takeHeads(line: ReadLine): void {
    // Without keys they may be anything.
    const list: unknown = line.heads
    for (const head of Array.isArray(list) ? list.filter(isHead) : [])
      if (head.number > (heads.get(head.life)?.number ?? 0)) heads.set(head.life, head)
  }

  function take(text: string, at: Place, complete: boolean): void {
    const judged = judgeLine(text, keys)
    switch (judged.kind) {
      case 'other':
        // So short that it does not say what it is.
        if (!complete && text.includes('{"level":') && !text.endsWith('}')) torn.push({ place: at })
        return
      case 'foreign':
        return void findings.push({ kind: 'foreign', why: judged.why, place: at })
      case 'torn': {
        const { kind: _kind, ...where } = judged
        return void torn.push({ ...where, place: at })
      }
      case 'altered': {
        const { life, number, why } = judged
        findings.push({ kind: 'altered', life, number, why, place: at })
        // The number is not missing as well. If it is taken, the right line is there.
        if (lives.has(life)) altered.push({ life, number })
        return
      }
      case 'line': {
        const { line } = judged
        const { life, number, prev, mac, time } = line
        if (!place(life, number, prev, mac)) return void findings.push({ kind: 'doubled', life, number, place: at })
        const state = stateOf(life)
        state.lines += 1
        if (state.first === '' || time < state.first) state.first = time
        if (time > state.last) state.last = time
        if (line.audit === 'life_ended') state.endedAt = number
        if (line.audit === 'life_began') state.version = line.version
        if (line.audit === 'heads') takeHeads(line)
        onLine(line)
      }
    }
  }
  const altered: { life: string; number: number }[] = []

  function report(): AuditReport {
    const found = [...findings]
    for (const { life, number } of altered) place(life, number, undefined, undefined)
    for (const { life, number, place: at } of torn) {
      const ranges = life === undefined ? undefined : lives.get(life)?.ranges
      // Cut off although lines of the same process follow: that was not the end of the process.
      const goesOn = number !== undefined && ranges !== undefined && (ranges.at(-1)?.to ?? 0) > number
      if (goesOn) {
        found.push({ kind: 'altered', life: life!, number, why: 'it ends in the middle', place: at })
        place(life!, number, undefined, undefined)
      } else
        found.push({
          kind: 'unfinished',
          ...(life === undefined ? {} : { life }),
          ...(number === undefined ? {} : { number }),
          place: at,
        })
    }
    const all: Life[] = []
    for (const [life, { ranges, lines, first, last, endedAt, version }] of lives) {
      let next = partial ? ranges[0]!.from : 1
      const completeTo = ranges[0]?.from === next ? ranges[0].to : 0
      for (const { from, to } of ranges) {
        if (from > next) found.push({ kind: 'missing', life, from: next, to: from - 1 })
        next = to + 1
      }
      const highest = next - 1
      const head = heads.get(life)
      if (head !== undefined && head.number > highest)
        found.push({ kind: 'missing', life, from: next, to: head.number, seenBy: 'other replicas' })
      else if (head?.number === highest && head.mac !== undefined) {
        const { mac } = ranges.at(-1)!
        if (mac !== undefined && mac !== head.mac) found.push({ kind: 'broken', life, number: highest })
      }
      all.push({
        life,
        completeTo,
        highest,
        lines,
        first,
        last,
        ended: endedAt === highest,
        ...(head === undefined ? {} : { seenByOthers: head.number }),
        ...(version === undefined ? {} : { version }),
      })
    }
    for (const { life, number } of heads.values())
      if (!lives.has(life) && !partial)
        found.push({ kind: 'missing', life, from: 1, to: number, seenBy: 'other replicas' })
    all.sort((a, b) => (a.first < b.first ? -1 : 1))
    return {
      lives: all,
      findings: found,
      proven: keys.length > 0,
      whole: found.every(({ kind }) => kind === 'unfinished'),
    }
  }

  return { take, report }
}

function isHead(value: unknown): value is AuditHead {
  if (typeof value !== 'object' || value === null || !('life' in value && 'number' in value)) return false
  return typeof value.life === 'string' && Number.isSafeInteger(value.number)
}
