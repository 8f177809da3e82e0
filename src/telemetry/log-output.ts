import { fstatSync, writeSync } from 'node:fs'

// The one way to standard output (docs/design.md#audit, docs/decisions/0009-log-buffer.md): lines of the log and audit
// lines in one queue, so that they have one order. Nothing here ever blocks the process, whatever the reader does.

/** Ordinary lines wait for others until the queue has this many characters, or for this time. */
const BUFFER_CHARACTERS = 16_000
const BUFFER_MS = 100
/** One system call writes about this much. */
const CHUNK_CHARACTERS = 65_536
/** Between two tries to write to a reader that does not keep up, or to a full disk. */
const RETRY_MS = { first: 1, last: 50 }
/** How long somebody waits for a line that must be written first (docs/design.md#audit). */
export const WRITE_TIMEOUT_MS = 2_000
/** Bounds of what waits while nothing can be written. Ordinary lines beyond them are dropped and counted. */
export const QUEUE_LIMITS = { lines: 20_000, characters: 8_000_000, audited: 10_000 } as const
/** The last try, when the process ends. */
const LAST_FLUSH_MS = 500

export interface LogOutput {
  /** An ordinary line, with its line break. Never waits; dropped if the queue is full. */
  write(line: string): void
  /** False: the queue is full, or the output is closed. */
  hasRoom(): boolean
  /**
   * A line that somebody waits for. `written` is called once: with true as soon as the line has left the process, with
   * false after two seconds or if the output is closed. After two seconds the line still waits in its place.
   */
  writeAwaited(line: string, written: (ok: boolean) => void): void
  /** `blocked`: nothing could be written for two seconds. `closed`: nobody reads it, for ever. */
  state(): 'open' | 'blocked' | 'closed'
  /** Ordinary lines that were dropped since the start. */
  dropped(): number
  /** Called once when the output is closed. */
  onClosed(listener: () => void): void
}

export interface LogOutputPorts {
  /** As `write(2)`: the number of bytes written. Throws EAGAIN, EPIPE, ENOSPC … */
  writeSync(bytes: Buffer): number
  /** Milliseconds of a monotonic clock. */
  elapsed(): number
}

interface Waiter {
  written: (ok: boolean) => void
  since: number
  over: boolean
}

/** The output closed for good: its reader is gone. */
const CLOSED: ReadonlySet<unknown> = new Set(['EPIPE', 'ECONNRESET', 'EBADF'])

/** `flush` tries once to write everything; `flushAtExit` for half a second. */
export function createLogOutput(ports: LogOutputPorts): LogOutput & { flush(): void; flushAtExit(): void } {
  let lines: string[] = []
  let characters = 0
  let waiters: Waiter[] = []
  /** What is being written: a chunk, how much of it is out, and who waits for it. */
  let chunk: { bytes: Buffer; at: number; waiters: Waiter[] } | undefined
  /** Since when nothing could be written. */
  let stuckSince: number | undefined
  let retryMs: number = RETRY_MS.first
  let retrying = false
  let timer: NodeJS.Timeout | undefined
  let soon = false
  let closed = false
  let dropped = 0
  let reported = 0
  let awaited = 0
  const listeners: (() => void)[] = []

  function settle(waiter: Waiter, ok: boolean): void {
    if (waiter.over) return
    waiter.over = true
    waiter.written(ok)
  }

  function nextChunk(): typeof chunk {
    if (lines.length === 0) return undefined
    let taken = lines
    // A long queue, after a pause: in pieces, so that those who wait are answered as their lines leave.
    if (characters > CHUNK_CHARACTERS) {
      let length = 0
      let count = 0
      while (count < lines.length && length < CHUNK_CHARACTERS) length += lines[count++]!.length
      taken = lines.slice(0, count)
    }
    const all = taken.length === lines.length
    const mine = all ? waiters : waiters.filter((_, i) => positions[i]! < firstLine + taken.length)
    firstLine += taken.length
    lines = all ? [] : lines.slice(taken.length)
    characters = all ? 0 : characters - taken.reduce((sum, { length }) => sum + length, 0)
    positions = all ? [] : positions.slice(mine.length)
    waiters = all ? [] : waiters.slice(mine.length)
    return { bytes: Buffer.from(taken.join('')), at: 0, waiters: mine }
  }
  /** The number of the first line in the queue, and for each waiter the number of its line. */
  let firstLine = 0
  let positions: number[] = []

  function push(line: string): void {
    lines.push(line)
    characters += line.length
  }

  /** Writes until nothing is left or nothing more goes out. */
  function flush(): void {
    soon = false
    if (closed) return
    for (;;) {
      chunk ??= nextChunk()
      if (chunk === undefined) return
      try {
        const { bytes } = chunk
        chunk.at += ports.writeSync(chunk.at === 0 ? bytes : bytes.subarray(chunk.at))
      } catch (error) {
        const { code } = error as { code?: unknown }
        if (code === 'EINTR') continue
        if (CLOSED.has(code)) return close()
        // EAGAIN: the reader does not keep up. Others, such as ENOSPC: may pass.
        stuckSince ??= ports.elapsed()
        giveUpOld()
        return retryLater()
      }
      stuckSince = undefined
      retryMs = RETRY_MS.first
      if (chunk.at < chunk.bytes.length) continue
      const done = chunk.waiters
      chunk = undefined
      awaited -= done.length
      for (const waiter of done) settle(waiter, true)
      if (dropped > reported && lines.length === 0) {
        push(
          `${JSON.stringify({ level: 'error', service: 'token-broker', dropped: dropped - reported, msg: 'log lines were dropped: the reader of the log did not keep up' })}\n`,
        )
        reported = dropped
      }
    }
  }

  function retryLater(): void {
    if (retrying) return
    retrying = true
    setTimeout(() => {
      retrying = false
      flush()
    }, retryMs).unref()
    retryMs = Math.min(retryMs * 2, RETRY_MS.last)
  }

  function giveUpOld(): void {
    const limit = ports.elapsed() - WRITE_TIMEOUT_MS
    for (const list of [chunk?.waiters ?? [], waiters])
      for (const waiter of list) {
        if (waiter.since > limit) break
        settle(waiter, false)
      }
  }

  function close(): void {
    closed = true
    for (const waiter of [...(chunk?.waiters ?? []), ...waiters]) settle(waiter, false)
    chunk = undefined
    lines = []
    waiters = []
    positions = []
    characters = awaited = 0
    for (const listener of listeners) listener()
  }

  const isFull = () => lines.length >= QUEUE_LIMITS.lines || characters >= QUEUE_LIMITS.characters

  return {
    write(line) {
      if (closed) return
      if (isFull()) {
        dropped += 1
        return
      }
      push(line)
      if (characters >= BUFFER_CHARACTERS) {
        if (stuckSince === undefined) flush()
      } else
        timer ??= setTimeout(() => {
          timer = undefined
          if (stuckSince === undefined) flush()
        }, BUFFER_MS).unref()
    },
    hasRoom: () => !closed && awaited < QUEUE_LIMITS.audited && !isFull(),
    writeAwaited(line, written) {
      if (closed) return written(false)
      push(line)
      positions.push(firstLine + lines.length - 1)
      waiters.push({ written, since: ports.elapsed(), over: false })
      awaited += 1
      // Answers that are ready in the same turn of the event loop share one system call.
      if (!soon && stuckSince === undefined) {
        soon = true
        setImmediate(flush)
      }
    },
    state() {
      if (closed) return 'closed'
      return stuckSince !== undefined && ports.elapsed() - stuckSince >= WRITE_TIMEOUT_MS ? 'blocked' : 'open'
    },
    dropped: () => dropped,
    onClosed: (listener) => (closed ? queueMicrotask(listener) : void listeners.push(listener)),
    flush,
    flushAtExit() {
      const limit = ports.elapsed() + LAST_FLUSH_MS
      const pause = new Int32Array(new SharedArrayBuffer(4))
      do {
        flush()
        if (closed || (chunk === undefined && lines.length === 0)) return
        Atomics.wait(pause, 0, 0, 5)
      } while (ports.elapsed() < limit)
    },
  }
}

let standard: LogOutput | undefined

/** Standard output of this process. Made once. */
export function standardOutput(): LogOutput {
  if (standard !== undefined) return standard
  // Node makes a pipe or socket non-blocking when it opens the stream, and only then does a full pipe answer EAGAIN.
  // A file and a terminal are written to as they are.
  if (!isFile()) process.stdout.on('error', () => {})
  const output = createLogOutput({ writeSync: (bytes) => writeSync(1, bytes), elapsed: () => performance.now() })
  process.on('exit', () => output.flushAtExit())
  return (standard = output)
}

function isFile(): boolean {
  try {
    return fstatSync(1).isFile()
  } catch {
    return true
  }
}
