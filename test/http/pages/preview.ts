import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LANGUAGES } from '../../../src/texts/texts.ts'
import { allPages } from './samples.ts'

// Writes every page as a file, for looking at them: `node test/http/pages/preview.ts <folder>`.

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: preview.ts <folder>')
mkdirSync(folder, { recursive: true })
for (const language of LANGUAGES) {
  for (const [name, page] of Object.entries(allPages(language)))
    writeFileSync(join(folder, `${language}-${name}.html`), page)
}
