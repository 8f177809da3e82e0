// The callers file on disk. It is read at start and again at each reload(). It compares contents, not times or inodes,
// so that it also detects a symlink swap by Kubernetes. It has no timer: services.ts calls reload() every few seconds.
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { CallersError, parseCallers } from './callers.ts'
import type { Callers } from './callers.ts'

export interface CallersFileOptions {
  /** ms since the epoch */
  readonly now: () => number
  /** The file changed and is now in use. */
  readonly onChange?: (callers: Callers) => void
  /** The changed file is invalid or unreadable; the callers read before stay in use. Called once for each content. */
  readonly onProblem?: (error: CallersError) => void
}

/** The current callers. The constructor throws CallersError when the file cannot be used. */
export class CallersFile {
  readonly #path: string
  readonly #options: CallersFileOptions
  /** Hash of the text read last, valid or not. The text itself contains secrets, so it is not kept. */
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

  /** The callers of the last valid file. */
  current(): Callers {
    return this.#callers
  }

  /**
   * Uses the file if its content changed. Never throws: a broken file is reported to onProblem. `given`: its content,
   * if it has been read already.
   */
  reload(given?: string): 'unchanged' | 'changed' | 'broken' {
    const before = this.#seen
    try {
      this.#seen = 'unreadable'
      const text = given ?? readText(this.#path)
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
