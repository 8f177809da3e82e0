// 100,000 mutated requests: all bytes of request line, headers and body of a signed GET and a signed POST, for both
// algorithms. Each byte is mutated by eight bit flips, a deletion, a duplication and an exchange with its neighbour.
// The rest are random replacements and insertions with a fixed seed.
//
// A mutant with the same meaning as the original is not a forgery: it must be accepted and does not count. `meaningOf`
// decides that without the code under test. It ignores the case of header names and of Host, spaces and tabs around a
// value, an empty line, leading zeros in Content-Length, and bytes after the end of the body.
import t from 'tap'
import type { RequestMessage } from '../../src/signature/base.ts'
import { verifyBody } from '../../src/signature/content-digest.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import { BODY, ED25519, get, HMAC, message, OPTIONS, post } from './support.ts'

const PER_REQUEST = 25_000
const SEED = 20_261_122

interface Wire {
  head: string
  body: string
}

for (const key of [HMAC, ED25519]) {
  // Without headers that neither the signature nor the result depends on.
  for (const draft of [get({ key, headers: [] }), post({ key })]) {
    t.test(`0 of ${PER_REQUEST} mutants of a ${draft.method} signed with ${key.algorithm} are accepted`, async (t) => {
      const original = wireOf(message(draft), draft.method === 'POST' ? BODY : '')
      t.equal(accepted(original), true, 'the original is accepted')
      const { length } = text(original)
      const reached = new Set<number>()
      let forgeries = 0
      let same = 0
      for (const [position, mutant] of mutants(original)) {
        reached.add(position)
        const sameMeaning = meaningOf(mutant) === meaningOf(original)
        if (accepted(mutant) !== sameMeaning) return t.fail(`at ${position}: ${JSON.stringify(mutant)}`)
        if (sameMeaning) same++
        else if (++forgeries === PER_REQUEST) break
      }
      t.equal(forgeries, PER_REQUEST)
      t.equal(reached.size, length, 'every byte position was changed')
      t.comment(`${length} positions, ${same} mutants that mean the same`)
    })
  }
}

function text({ head, body }: Wire): string {
  return `${head}${body}`
}

function* mutants(original: Wire): Generator<[position: number, mutant: Wire]> {
  const whole = text(original)
  const split = original.head.length
  const at = (position: number, replacement: string, removed = 1): [number, Wire] => {
    const changed = whole.slice(0, position) + replacement + whole.slice(position + removed)
    const boundary = position < split ? split + replacement.length - removed : split
    return [position, { head: changed.slice(0, boundary), body: changed.slice(boundary) }]
  }
  for (let position = 0; position < whole.length; position++) {
    const code = whole.charCodeAt(position)
    for (let bit = 0; bit < 8; bit++) yield at(position, String.fromCharCode(code ^ (1 << bit)))
    yield at(position, '')
    yield at(position, whole.charAt(position).repeat(2))
    const [first, second] = whole.slice(position, position + 2)
    // Not across the boundary of head and body: these bytes are not neighbours on the wire.
    if (second !== undefined && first !== second && position + 1 !== split)
      yield at(position, `${second}${first ?? ''}`, 2)
  }
  const random = generator(SEED)
  for (;;) {
    const position = random() % whole.length
    const character = String.fromCharCode(random() % 256)
    if (random() % 4 === 0) yield at(position, character + whole.charAt(position))
    else if (character !== whole.charAt(position)) yield at(position, character)
  }
}

function wireOf({ method, target, rawHeaders }: RequestMessage, body: string): Wire {
  let head = `${method} ${target}\n`
  for (let i = 0; i < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\n`
  return { head, body }
}

/** Parses a head less strictly than Node, so that more mutants reach the verifier. */
function parse({ head }: Wire): RequestMessage {
  const [first = '', ...rest] = head.split('\n')
  const space = first.indexOf(' ')
  const lines = rest.filter((line) => line.includes(':'))
  const rawHeaders = lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)])
  return { method: first.slice(0, space), target: first.slice(space + 1), scheme: 'https', rawHeaders }
}

/** The body as Node passes it on: Content-Length bytes. Undefined if Node would wait for more. */
function bodyOf(wire: Wire): Buffer | undefined {
  const length = Number(linesOf(parse(wire)).find(([name]) => name === 'content-length')?.[1] ?? 0)
  const bytes = Buffer.from(wire.body, 'latin1')
  return length > bytes.length ? undefined : bytes.subarray(0, length)
}

function accepted(wire: Wire): boolean {
  const result = verifyRequest(parse(wire), OPTIONS)
  const body = bodyOf(wire)
  return result.kind === 'verified' && body !== undefined && verifyBody(result.covered, body) === 'matches'
}

function linesOf({ rawHeaders }: RequestMessage): [name: string, value: string][] {
  const lines: [string, string][] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase()
    const value = (rawHeaders[i + 1] as string).replace(/^[ \t]+|[ \t]+$/g, '')
    if (name === 'host') lines.push([name, value.toLowerCase()])
    else if (name === 'content-length' && /^[0-9]+$/.test(value)) lines.push([name, String(Number(value))])
    else lines.push([name, value])
  }
  return lines
}

function meaningOf(wire: Wire): string {
  const { method, target } = parse(wire)
  return JSON.stringify([method, target, linesOf(parse(wire)).toSorted(), bodyOf(wire)?.toString('latin1')])
}

/** xorshift32 */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
