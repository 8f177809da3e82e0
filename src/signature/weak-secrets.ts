// Recognises key material that a person typed instead of a generator. It can only catch the careless.

const PLACEHOLDER = /change.?me|placeholder|replace.?me|password|example|insert.?here/i
// 32 random bytes have about 30 distinct values; fewer than 16 does not happen by chance.
const MIN_DISTINCT_BYTES = 16

/** Whether a secret (its text and bytes) is a placeholder, a repeated pattern or a counted sequence. */
export function secretLooksMadeUp(text: string, bytes: Uint8Array): boolean {
  return PLACEHOLDER.test(text) || new Set(bytes).size < MIN_DISTINCT_BYTES || isSequence(bytes)
}

function isSequence(bytes: Uint8Array): boolean {
  const step = ((bytes[1] ?? 0) - (bytes[0] ?? 0)) & 0xff
  return bytes.every((byte, i) => i === 0 || ((byte - (bytes[i - 1] as number)) & 0xff) === step)
}
