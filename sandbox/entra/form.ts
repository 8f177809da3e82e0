/** Form bodies and query strings, read as strictly as Entra does: nothing trimmed, nothing twice. */
import { Refusal } from './errors.ts'

/**
 * application/x-www-form-urlencoded → fields in the order sent. Throws AADSTS9002313 for a repeated field or a bad
 * escape.
 */
export function readForm(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    if (fields.has(name))
      throw new Refusal(9002313, { text: `Invalid request. Request contains parameter '${name}' more than once.` })
    fields.set(name, decode(equals < 0 ? '' : pair.slice(equals + 1)))
  }
  return fields
}

/** One form-encoded word. Throws AADSTS9002313 for a bad escape. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new Refusal(9002313)
  }
}

/** Throws AADSTS900144 when the field is missing or empty. */
export function required(form: ReadonlyMap<string, string>, name: string): string {
  const value = form.get(name)
  if (!value) throw new Refusal(900144, { text: `The request body must contain the following parameter: '${name}'.` })
  return value
}
