import type { AuditFacts, AuditHead, AuditLog } from '../core/audit.ts'
import { Failure } from '../core/failure.ts'
import { MAX_LINE_BYTES, type AuditLine, type Chain } from './chain.ts'

/** What the audit log needs of the log's output (src/telemetry/log-output.ts). */
export interface AuditOutput {
  hasRoom(): boolean
  writeAwaited(line: string, written: (ok: boolean) => void): void
}

export interface AuditLogPorts {
  life: string
  chain: Chain
  output: AuditOutput
  /** `best-effort`: nobody waits for a line, and lines may be lost. */
  mode: 'required' | 'best-effort'
  /** Called for every line that was asked for: whether it was written in time. */
  onLine(written: boolean): void
}

/** Writes audit lines before their answers are sent (docs/design.md#audit). */
export function createAuditLog({ life, chain, output, mode, onLine }: AuditLogPorts): AuditLog {
  let head: AuditHead | undefined

  function put(line: AuditLine, done: (ok: boolean) => void): void {
    output.writeAwaited(line.text, (ok) => {
      if (ok) head = { life, number: line.number, ...(line.mac === undefined ? {} : { mac: line.mac }) }
      onLine(ok)
      done(ok)
    })
  }

  function append(facts: AuditFacts, done: (ok: boolean) => void): void {
    // Before the line gets its number: a number that is never written would look like a removed line.
    if (!output.hasRoom()) {
      onLine(false)
      return done(false)
    }
    const line = chain.next(facts)
    // Every member has a limit of its own where it enters, so this does not happen.
    if (line.text.length > MAX_LINE_BYTES) throw new RangeError('an audit line is too long')
    put(line, done)
  }

  const nothing = () => {}
  return {
    life,
    note: (facts) => append(facts, nothing),
    write(facts) {
      if (mode === 'best-effort') {
        append(facts, nothing)
        return Promise.resolve()
      }
      return new Promise((resolve, reject) =>
        append(facts, (ok) => (ok ? resolve() : reject(new Failure('audit_unavailable')))),
      )
    },
    head: () => head,
    changeKeys: (keys) => put(chain.changeKeys(keys), nothing),
  }
}
