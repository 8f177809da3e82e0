import { readFileSync } from 'node:fs'
import t from 'tap'
import { codesTwice, codesWithoutEvidence, MICROSOFT_DOCUMENT, withAadstsTable } from '../support/aadsts-table.ts'

t.test('every AADSTS code of the verdict table has a meaning and a source in docs/microsoft.md', async (t) => {
  t.strictSame(codesWithoutEvidence(), [])
  t.strictSame(codesTwice(), [])
})

t.test(
  'the table of AADSTS codes in docs/microsoft.md is up to date (node test/support/aadsts-table.ts)',
  async (t) => {
    const document = readFileSync(MICROSOFT_DOCUMENT, 'utf8')
    t.strictSame(document.split('\n'), withAadstsTable(document).split('\n'))
  },
)
