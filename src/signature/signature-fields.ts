// The fields Signature-Input and Signature of one message (RFC 9421 §4), read but not believed: exactly one signature,
// in the profile's form.
import type { Fields } from './base.ts'
import { algorithmOf } from './keys.ts'
import type { Algorithm } from './keys.ts'
import { parseByteMember, parseSignatureInput } from './structured-fields.ts'
import type { SignatureInput } from './structured-fields.ts'

export type SignatureFieldProblem =
  | 'missing_signature'
  | 'repeated_signature_field'
  | 'signature_field_too_long'
  | 'several_signatures'
  | 'malformed_signature_input'
  | 'malformed_signature'
  | 'label_mismatch'

/** What the two fields say; `field` is the whole Signature-Input value, `algorithm` follows from the signature's length. */
export interface PresentedSignature {
  readonly field: string
  readonly input: SignatureInput
  readonly signature: Buffer
  readonly algorithm: Algorithm
}

/** One line of each field, of at most `limit` characters, one member in each, the same label, a length we know. */
export function readSignatureFields(fields: Fields, limit: number): PresentedSignature | SignatureFieldProblem {
  const inputs = fields.get('signature-input')
  const signatures = fields.get('signature')
  if (inputs === undefined || signatures === undefined) return 'missing_signature'
  if (inputs.length > 1 || signatures.length > 1) return 'repeated_signature_field'
  const field = inputs[0] as string
  const signatureField = signatures[0] as string
  if (field.length > limit || signatureField.length > limit) return 'signature_field_too_long'
  const input = parseSignatureInput(field)
  const member = parseByteMember(signatureField)
  if (input === 'several_members' || member === 'several_members') return 'several_signatures'
  if (input === 'malformed') return 'malformed_signature_input'
  if (member === 'malformed') return 'malformed_signature'
  if (input.label !== member.label) return 'label_mismatch'
  const algorithm = algorithmOf(member.bytes)
  return algorithm === undefined ? 'malformed_signature' : { field, input, signature: member.bytes, algorithm }
}
