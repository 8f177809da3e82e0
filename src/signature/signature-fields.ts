// Parses the fields Signature-Input and Signature of one message (RFC 9421 section 4): exactly one signature, in the
// form of the profile. Nothing is verified here.
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

/** `field`: the whole Signature-Input value. `algorithm`: derived from the length of the signature. */
export interface PresentedSignature {
  readonly field: string
  readonly input: SignatureInput
  readonly signature: Buffer
  readonly algorithm: Algorithm
}

/**
 * Accepts one line of each field, of at most `limit` characters, with one member, the same label and a known length.
 */
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
