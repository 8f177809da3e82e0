import { writeFileSync } from 'node:fs'
import { generatedReference, REFERENCE_PATHS, referenceFile } from './documents.ts'

// npm run documents: writes docs/reference/ from the code.
for (const path of REFERENCE_PATHS) writeFileSync(referenceFile(path), generatedReference(path))
