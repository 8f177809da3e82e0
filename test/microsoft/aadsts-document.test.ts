import { readFileSync } from 'node:fs'
import t from 'tap'
import { AADSTS, findRow } from '../../src/microsoft/aadsts.ts'
import { generatedReference } from '../support/documents.ts'

// test/documents.test.ts compares docs/reference/aadsts-codes.md with the code.

const REFERENCE = generatedReference('docs/reference/aadsts-codes.md')
/** Codes that a document names, with the prefix or alone in a cell of a table. */
const namedCodes = (markdown: string): number[] =>
  [...markdown.matchAll(/AADSTS(\d+)|\| (\d{5,7})(?=,| \|)/g)].map(([, prefixed, cell]) => Number(prefixed ?? cell))

t.test('every row of the AADSTS table is one line of the document, with its source and certainty', async (t) => {
  const lines = REFERENCE.split('\n').filter((line) => /^\| \d+ \|/.test(line))
  t.equal(lines.length, AADSTS.length)
  t.strictSame(
    lines.filter(
      (line) => !/ \| (?:\[\w+\](?:\(https:\/\/\S+\))?|several reports) \| (?:recorded|documented) \|$/.test(line),
    ),
    [],
  )
})

t.test('every row can count: no row before it has the same code and the same error, or no error', async (t) => {
  const unreachable = AADSTS.filter(({ code, error }, index) =>
    AADSTS.slice(0, index).some((other) => other.code === code && (other.error ?? error) === error),
  )
  t.strictSame(unreachable, [])
})

t.test('the broker has a row for every code that docs/microsoft.md and docs/runbooks.md name', async (t) => {
  for (const name of ['docs/microsoft.md', 'docs/runbooks.md']) {
    const codes = namedCodes(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'))
    t.ok(codes.length > 5, name)
    t.strictSame(
      codes.filter((code) => !AADSTS.some((row) => row.code === code) && findRow([code], undefined) === undefined),
      [],
      name,
    )
  }
})
