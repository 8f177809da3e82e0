// How the driver reads what Postgres sends as text. A database or a role can set how Postgres writes times, bytes and
// floating-point numbers (datestyle, bytea_output, extra_float_digits). So times are selected as numbers (instants.ts),
// numbers as numeric, which no setting changes, and bytes are read in both forms.

const NUMERIC = 1700
const BYTEA = 17

/**
 * `\x` and hexadecimal digits, or with `bytea_output = escape` the bytes, those that are not printable as `\` and three
 * octal digits.
 */
export function readBytes(text: string): Buffer {
  if (text.startsWith('\\x')) return Buffer.from(text.slice(2), 'hex')
  const bytes = text.replace(/\\(\\|[0-3][0-7]{2})/g, (_, code: string) =>
    code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 8)),
  )
  return Buffer.from(bytes, 'latin1')
}

export const DRIVER_TYPES = {
  numeric: { to: NUMERIC, from: [NUMERIC], serialize: String, parse: Number },
  bytea: {
    to: BYTEA,
    from: [BYTEA],
    serialize: (bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}`,
    parse: readBytes,
  },
}
