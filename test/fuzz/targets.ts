import { auditVerifier } from './audit.ts'
import { answers, callback, idTokens } from './microsoft.ts'
import { importRows } from './rows.ts'
import { byteSequences, signatureInput, verifier } from './signature.ts'
import type { FuzzTarget } from './target.ts'

export const TARGETS: readonly FuzzTarget[] = [
  signatureInput,
  byteSequences,
  verifier,
  callback,
  answers,
  idTokens,
  importRows,
  auditVerifier,
]
