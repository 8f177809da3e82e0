import { hash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** PEM texts. */
export interface TlsTexts {
  readonly cert: string
  readonly key: string
}

/** A server of node:tls. New connections get the new certificate, open ones stay. */
interface SecureServer {
  setSecureContext(texts: TlsTexts): void
}

export interface TlsFilesOptions {
  /** Changed files are now used. */
  readonly onChange?: (notAfter: Date) => void
  /**
   * Changed files cannot be used; the old ones stay. `code`: of OpenSSL or the system. Called once for each content.
   */
  readonly onProblem?: (code: string) => void
}

/**
 * The certificate of a listener in mounted files, which change while the process runs (cert-manager renews them).
 * Compares contents, not times. Has no timer: main.ts calls reload() every few seconds.
 */
export class TlsFiles {
  readonly #paths: { readonly certFile: string; readonly keyFile: string }
  readonly #on: TlsFilesOptions
  #seen: string
  #current: TlsTexts

  /** Throws if the files cannot be read or do not belong together. */
  constructor(paths: { readonly certFile: string; readonly keyFile: string }, on: TlsFilesOptions = {}) {
    this.#paths = paths
    this.#on = on
    this.#current = this.#read()
    createSecureContext(this.#current)
    this.#seen = fingerprint(this.#current)
  }

  current(): TlsTexts {
    return this.#current
  }

  /** When the present certificate expires. */
  notAfter(): Date {
    return new X509Certificate(this.#current.cert).validToDate
  }

  /**
   * Uses changed files. Never throws: a pair that does not belong together (one file is not written yet) leaves the old
   * one in use. `given`: their contents, if the caller has read them already. Returns whether they can be used.
   */
  reload(server: SecureServer, given?: TlsTexts): boolean {
    const before = this.#seen
    try {
      this.#seen = 'unreadable'
      const texts = given ?? this.#read()
      this.#seen = fingerprint(texts)
      if (this.#seen === before) return texts.cert === this.#current.cert && texts.key === this.#current.key
      createSecureContext(texts)
      server.setSecureContext(texts)
      this.#current = texts
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (this.#seen !== before) this.#on.onProblem?.(typeof code === 'string' ? code : 'unknown')
      return false
    }
    this.#on.onChange?.(this.notAfter())
    return true
  }

  #read(): TlsTexts {
    return { cert: readFileSync(this.#paths.certFile, 'utf8'), key: readFileSync(this.#paths.keyFile, 'utf8') }
  }
}

function fingerprint({ cert, key }: TlsTexts): string {
  return hash('sha256', `${cert}\n${key}`)
}
