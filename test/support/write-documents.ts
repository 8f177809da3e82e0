import { writeFileSync } from 'node:fs'
import { AUDIT_LINE_SCHEMA } from '../../src/audit/line-schema.ts'
import { AUDIT_SCHEMA_FILE } from './audit-schema.ts'
import { generatedReference, REFERENCE_PATHS, referenceFile } from './documents.ts'

// npm run documents: writes docs/reference/ and openapi/audit-lines.json from the code.
for (const path of REFERENCE_PATHS) writeFileSync(referenceFile(path), generatedReference(path))
writeFileSync(AUDIT_SCHEMA_FILE, `${JSON.stringify(AUDIT_LINE_SCHEMA, null, 2)}\n`)
