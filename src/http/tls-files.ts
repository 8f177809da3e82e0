import { hash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** PEM texts. */
export interface TlsTexts {
  readonly cert: string
  readonly key: string
}

/** Whoever serves with it: node:tls' Server. New connections get the new certificate, those that are open stay. */
interface Holder {
  setSecureContext(texts: TlsTexts): void
}

export interface TlsFilesOptions {
  /** Changed files were taken over. */
  readonly onChange?: (notAfter: Date) => void
  /** Changed files cannot be used, by OpenSSL's or the system's code; what was there before stays. Told once per content. */
  readonly onProblem?: (code: string) => void
}

/**
 * The certificate of a listener in mounted files, which change under a running process (cert-manager renews them). Contents are compared,
 * not times. No timer here: whoever owns the process calls reload() every few seconds.
 */
export class TlsFiles {
  readonly #paths: { readonly certFile: string; readonly keyFile: string }
  readonly #on: TlsFilesOptions
  #seen: string
  #current: TlsTexts

  /** Throws when the files cannot be read or do not belong together. */
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

  /** When the certificate that is served ends. */
  notAfter(): Date {
    return new X509Certificate(this.#current.cert).validToDate
  }

  /** Takes changed files over. Never throws: halves that do not belong together (one of them not written yet) leave the old ones in place. */
  reload(holder: Holder): void {
    const before = this.#seen
    try {
      this.#seen = 'unreadable'
      const texts = this.#read()
      this.#seen = fingerprint(texts)
      if (this.#seen === before) return
      createSecureContext(texts)
      holder.setSecureContext(texts)
      this.#current = texts
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (this.#seen !== before) this.#on.onProblem?.(typeof code === 'string' ? code : 'unknown')
      return
    }
    this.#on.onChange?.(this.notAfter())
  }

  #read(): TlsTexts {
    return { cert: readFileSync(this.#paths.certFile, 'utf8'), key: readFileSync(this.#paths.keyFile, 'utf8') }
  }
}

function fingerprint({ cert, key }: TlsTexts): string {
  return hash('sha256', `${cert}\n${key}`)
}
