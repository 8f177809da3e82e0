// The callers file on disk: read at start, read again whenever somebody asks whether it changed. It compares contents,
// not times or inodes, so that Kubernetes' swap of a symlink is seen like any other change. No timer here: whoever owns
// the process calls reload() every few seconds.
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CallersError, parseCallers } from './callers.ts'
import type { Callers } from './callers.ts'

export interface CallersFileOptions {
  /** ms since the epoch */
  readonly now: () => number
  /** A changed file was taken over. */
  readonly onChange?: (callers: Callers) => void
  /** A changed file is broken or unreadable; the callers before it stay. Told once per content. */
  readonly onProblem?: (error: CallersError) => void
}

/** The callers of now. Constructing it throws CallersError when the file cannot be used. */
export class CallersFile {
  readonly #path: string
  readonly #options: CallersFileOptions
  /** Hash of what was read last, good or not; the text itself is secrets and is not kept. */
  #seen: string
  #broken = false
  #callers: Callers

  constructor(path: string, options: CallersFileOptions) {
    this.#path = path
    this.#options = options
    const text = readText(path)
    this.#callers = parseCallers(text, options.now())
    this.#seen = fingerprint(text)
  }

  /** The callers last read without problems. */
  current(): Callers {
    return this.#callers
  }

  /** Reads the file again and takes it over if its content changed. Never throws: a broken file goes to onProblem. */
  reload(): 'unchanged' | 'changed' | 'broken' {
    const before = this.#seen
    try {
      this.#seen = 'unreadable'
      const text = readText(this.#path)
      this.#seen = fingerprint(text)
      if (this.#seen === before) return this.#broken ? 'broken' : 'unchanged'
      this.#callers = parseCallers(text, this.#options.now())
      this.#broken = false
    } catch (error) {
      if (!(error instanceof CallersError)) throw error
      this.#broken = true
      if (this.#seen !== before) this.#options.onProblem?.(error)
      return 'broken'
    }
    this.#options.onChange?.(this.#callers)
    return 'changed'
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new CallersError([{ path: '$', expected: `a readable file (${code})` }])
  }
}

function fingerprint(text: string): string {
  return hash('sha256', text)
}
