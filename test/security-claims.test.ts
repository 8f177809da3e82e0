import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

// docs/security.md claims only what a test proves: each row of a table whose last column is "proof" names one by file
// and name.

const ROOT = new URL('..', import.meta.url)
const PROOF = /`([\w./-]+)`: "([^"]+)"/

interface Claim {
  line: number
  claim: string
  proof: string
}

/** The rows of tables whose last column has the heading "proof". */
function readClaims(markdown: string): Claim[] {
  const claims: Claim[] = []
  let isProofTable = false
  for (const [index, line] of markdown.split('\n').entries()) {
    if (!line.startsWith('|')) {
      isProofTable = false
      continue
    }
    const cells = line.slice(1, line.lastIndexOf('|')).split('|')
    const [first = '', last = ''] = [cells[0]?.trim(), cells.at(-1)?.trim()]
    if (last === 'proof') isProofTable = true
    else if (isProofTable && !/^-+$/.test(first)) claims.push({ line: index + 1, claim: first, proof: last })
  }
  return claims
}

/** Names as they stand in the source, without escapes: `${…}` of a template stays as it is. */
function testNames(file: string): Set<string> {
  // A test that is commented out proves nothing.
  const source = readFileSync(new URL(file, ROOT), 'utf8').replace(/^\s*\/\/.*$/gm, '')
  if (file.endsWith('.py')) return new Set([...source.matchAll(/^def (test_\w+)\(/gm)].map(([, name]) => name!))
  return new Set(
    [...source.matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map(([, , name]) =>
      name!.replace(/\\(.)/g, '$1'),
    ),
  )
}

/** What is wrong with a claim; undefined: nothing. */
function problemOf({ line, claim, proof }: Claim): string | undefined {
  const where = `docs/security.md, line ${line} (${claim})`
  if (proof === '') return `${where}: no proof`
  for (const part of proof.split('<br>')) {
    const [whole, file = '', name = ''] = PROOF.exec(part) ?? []
    if (whole !== part) return `${where}: a proof has the form \`file\`: "name of a test", not ${part}`
    if (!existsSync(new URL(file, ROOT))) return `${where}: there is no file ${file}`
    const names = testNames(file)
    if (!names.has(name)) return `${where}: ${file} has no test "${name}". It has: ${[...names].join(' · ')}`
  }
  return undefined
}

t.test('every claim of docs/security.md names a test that exists', async (t) => {
  const claims = readClaims(readFileSync(new URL('docs/security.md', ROOT), 'utf8'))
  t.ok(claims.length > 80, `${claims.length} claims were read`)
  t.strictSame(
    claims.map(problemOf).filter((problem) => problem !== undefined),
    [],
  )
})

t.test(
  'a claim without a proof, with a file or a test that does not exist, or in another form, is found',
  async (t) => {
    const row = (proof: string) => `| threat | what | proof |\n|---|---|---|\n| thieves | a lock | ${proof} |\n`
    const problem = (proof: string) => readClaims(row(proof)).map(problemOf)[0]
    const self = '`test/security-claims.test.ts`: "every claim of docs/security.md names a test that exists"'
    t.equal(problem(self), undefined)
    t.match(problem(''), /no proof/)
    t.match(problem('see the tests'), /has the form/)
    t.match(problem(`${self} and more`), /has the form/)
    t.match(problem(`${self}<br>`), /has the form/)
    t.match(problem('`test/nowhere.test.ts`: "every claim"'), /no file/)
    t.match(problem('`test/security-claims.test.ts`: "every claim"'), /no test "every claim"/)
    t.match(problem('`clients/python/tests/test_broker.py`: "test_nothing"'), /no test "test_nothing"/)
    t.equal(problem('`clients/python/tests/test_broker.py`: "test_a_wrong_secret_is_an_invalid_signature"'), undefined)
  },
)
