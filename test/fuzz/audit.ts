import { createSecretKey } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { createChain } from '../../src/audit/chain.ts'
import type { ReadLine } from '../../src/audit/parse-line.ts'
import { createVerifier } from '../../src/audit/verify.ts'
import type { AuditFacts } from '../../src/core/audit.ts'
import { hmacSha256 } from '../../src/core/hmac.ts'
import { near, promise, target } from './target.ts'

// A log of two processes, which somebody without its key changes: lines are removed, doubled, moved, joined and edited.

const KEYS = [{ id: 'a1', key: createSecretKey(Buffer.alloc(32, 7)) }]

function lifeOf(life: string, facts: readonly AuditFacts[]): string[] {
  let time = Date.parse('2026-11-28T10:00:00Z')
  const chain = createChain({
    life,
    keys: KEYS,
    mac: (key, text) => hmacSha256(key, text, 'base64'),
    now: () => (time += 10),
  })
  return facts.map((some) => chain.next(some).text.trimEnd())
}

const handedOut = (user_id: string): AuditFacts => ({
  audit: 'token_handed_out',
  user_id,
  caller: 'megdocs',
  context: 'document:4711',
})
const FIRST = lifeOf('AAAAAAAAAAAAAAAA', [
  { audit: 'life_began', version: '1.2.3' },
  ...['1', '2', '3'].map(handedOut),
  { audit: 'life_ended' },
])
const SECOND = lifeOf('BBBBBBBBBBBBBBBB', [
  { audit: 'life_began' },
  { audit: 'heads', heads: [{ life: 'AAAAAAAAAAAAAAAA', number: 5 }] },
  ...['4', '5'].map(handedOut),
])
const LOG = [...FIRST, '{"level":"info","msg":"x"}', ...SECOND]
const ORIGINALS = LOG.map((line) => JSON.parse(line) as ReadLine)

const edit = fc.record({
  line: fc.nat({ max: LOG.length - 1 }),
  what: fc.constantFrom('remove', 'double', 'move', 'join', 'edit', 'edit', 'edit', 'edit', 'put'),
  /** From the end of the line, where the MAC is. */
  at: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 400 })),
  removed: fc.oneof(fc.constant(0), fc.nat({ max: 40 })),
  put: fc.oneof(
    fc.constantFrom(
      ',"user_id":"9"',
      ',"number":9',
      ',"life":"CCCCCCCCCCCCCCCC"',
      ',"audit":"heads","heads":[null]',
      ',"mac":"',
      ',"time":0',
      ',"x":1',
      '}',
      '"}',
      '{"log":"',
      '\\"audit\\":\\"',
      '\\u0061',
    ),
    near(...LOG),
    fc.string({ unit: 'binary', maxLength: 6 }),
  ),
})
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

function change(lines: string[], { line, what, at, removed, put }: Edit): void {
  const index = line % Math.max(lines.length, 1)
  const text = lines[index]
  if (text === undefined) return
  if (what === 'remove') lines.splice(index, 1)
  else if (what === 'double') lines.push(text)
  else if (what === 'move') lines.push(...lines.splice(index, 1))
  else if (what === 'join') lines.splice(index, 2, lines.slice(index, index + 2).join(''))
  else if (what === 'put') lines.splice(index, 0, put)
  else {
    const from = Math.max(text.length - at, 0)
    lines[index] = text.slice(0, from) + put + text.slice(from + removed)
  }
}

export const auditVerifier = target(
  'audit-verifier',
  fc.record({
    edits: fc.array(edit, { maxLength: 5 }),
    /** The last line has a line break. */
    complete: fc.boolean(),
    partial: fc.boolean(),
    withKeys: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  }),
  ({ edits, complete, partial, withKeys }) => {
    const lines = [...LOG]
    for (const one of edits) change(lines, one)
    const held: ReadLine[] = []
    const verifier = createVerifier({
      keys: withKeys ? KEYS : [],
      partial,
      onLine: (line) => void held.push(line),
    })
    for (const [i, line] of lines.entries())
      verifier.take(line, { file: 'log', line: i + 1 }, complete || i < lines.length - 1)
    const { lives, findings, whole, proven } = verifier.report()
    promise(proven === withKeys, 'proven without a key')
    for (const { life, completeTo, highest, first, last } of lives) {
      promise(completeTo >= 0 && completeTo <= highest, 'complete beyond the highest number')
      promise(typeof first === 'string' && first <= last, 'a life that ends before it begins')
      if (whole && !partial) promise(completeTo === highest, `${life} has a gap and is whole`)
    }
    if (!withKeys) return
    for (const line of held)
      promise(
        ORIGINALS.some((original) => isDeepStrictEqual(original, line)),
        'a line that nobody with the key wrote',
      )
    promise(new Set(held.map(({ life, number }) => `${life} ${number}`)).size === held.length, 'a line counted twice')
    const isTail = findings.some(({ kind }) => kind === 'unfinished')
    const second = held.filter(({ life }) => life === SECOND_LIFE)
    // The second process logged the newest number of the first.
    if (whole && !partial && !isTail && second.length >= 2)
      promise(held.length - second.length === FIRST.length, 'a line of the first process is missing, and all is whole')
  },
)
const SECOND_LIFE = 'BBBBBBBBBBBBBBBB'
