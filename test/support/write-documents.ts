import { writeFileSync } from 'node:fs'
import { README, writtenAnew } from './documents.ts'

// npm run documents: rewrites what the README repeats of the code.
writeFileSync(README, writtenAnew())
