import type { Exchange } from './browser.ts'

// Searches logs for secrets.

/** The form of the simulated Microsoft's tokens and codes, and of any other JWT. */
const SHAPES: readonly [name: string, shape: RegExp][] = [
  ['a JWT', /eyJ[\w-]{20,}/],
  ['a refresh token or code of Microsoft', /\b[01]\.A[\w-]{40,}/],
  ['a bearer token', /bearer\s+[\w.~+/-]{20,}/i],
  ['a cookie header', /"(?:set-)?cookie":\s*"/i],
]

/** Codes, states, tickets and cookie values in the exchanges of browsers. */
export function secretsSeen(exchanges: readonly Exchange[]): string[] {
  const found: string[] = []
  for (const { url, location, setCookie } of exchanges) {
    for (const address of [url, location ?? '']) {
      for (const [, value = ''] of address.matchAll(/[?&](?:code|state|nonce|code_challenge)=([^&#]+)/g))
        found.push(decodeURIComponent(value))
      for (const [, ticket = ''] of address.matchAll(/\/connect\/([\w-]{20,})/g)) found.push(ticket)
    }
    for (const line of setCookie) found.push(decodeURIComponent(/^[^=]+=([^;]*)/.exec(line)?.[1] ?? ''))
  }
  return found
}

/** What was found, described without repeating it. */
export function findSecrets(log: string, secrets: readonly string[]): string[] {
  const found = new Set<string>()
  for (const [name, shape] of SHAPES) if (shape.test(log)) found.add(name)
  for (const secret of new Set(secrets)) {
    // Short values, such as a cleared cookie, would match by chance. Logs may shorten or encode a value, so its first
    // 24 characters count too.
    if (secret.length < 16) continue
    const forms = [secret.slice(0, 24), encodeURIComponent(secret).slice(0, 24)]
    if (forms.some((form) => log.includes(form))) found.add(`a secret beginning with ${secret.slice(0, 4)}…`)
  }
  return [...found]
}
