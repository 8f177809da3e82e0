import { createHmac } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { temporaryFolder } from '../../sandbox/temporary-folder.ts'
import { createChain, type Chain } from '../../src/audit/chain.ts'
import { readAuditFiles } from '../../src/audit/files.ts'
import { createVerifier } from '../../src/audit/verify.ts'
import { runCommandLine } from '../../src/cli/commands.ts'
import { findingSentence } from '../../src/cli/audit.ts'
import type { AuditKey } from '../../src/core/audit.ts'
import { generateSealingKey, parseSealingKeys } from '../../src/crypto/keyring.ts'
import { hmacSha256 } from '../../src/core/hmac.ts'

// Audit lines made by the chain itself, then removed, altered, doubled, mixed and cut.

const TEXT = generateSealingKey('a1')
const KEYS: readonly AuditKey[] = parseSealingKeys(TEXT)
const OLD: readonly AuditKey[] = parseSealingKeys(generateSealingKey('a0'))
const LIVES = ['AAAAAAAAAAAAAAAA', 'BBBBBBBBBBBBBBBB', 'CCCCCCCCCCCCCCCC'] as const
let time = Date.parse('2026-11-22T10:00:00Z')

const chain = (life: string, keys = KEYS): Chain =>
  createChain({ life, keys, mac: (key, text) => hmacSha256(key, text, 'base64'), now: () => (time += 10) })

/** The lines of a process that handed out tokens and ended in order. */
function lifeOf(life: string, tokens: number, keys = KEYS): string[] {
  const lines = chain(life, keys)
  return [
    lines.next({ audit: 'life_began', version: '1.2.3' }),
    ...Array.from({ length: tokens }, (_, i) =>
      lines.next({ audit: 'token_handed_out', user_id: `u${i % 10}`, caller: 'megdocs', generation: i }),
    ),
    lines.next({ audit: 'life_ended' }),
  ].map(({ text }) => text.trimEnd())
}

function verify(lines: readonly string[], keys: readonly AuditKey[] = KEYS, partial = false) {
  const verifier = createVerifier({ keys, partial })
  for (const [i, line] of lines.entries()) verifier.take(line, { file: 'log', line: i + 1 }, true)
  const { findings, lives, whole, proven } = verifier.report()
  return { told: findings.map(findingSentence), lives, whole, proven }
}

const without = (lines: readonly string[], ...at: number[]) => lines.filter((_, i) => !at.includes(i))

t.test('whole logs of three replicas, mixed with other lines, in any order of files', async (t) => {
  const three = LIVES.map((life) => lifeOf(life, 20))
  const mixed = Array.from({ length: 22 }, (_, i) =>
    three.flatMap((lines) => [lines[i]!, '{"level":"info","msg":"x"}']),
  )
  for (const lines of [mixed.flat(), mixed.flat().toReversed(), [...three[1]!.slice(11), ...three[1]!.slice(0, 11)]]) {
    const { told, lives, whole, proven } = verify(lines)
    t.same([told, whole, proven], [[], true, true])
    for (const life of lives) t.match(life, { completeTo: 22, highest: 22, lines: 22, ended: true, version: '1.2.3' })
  }
})

t.test('lines that a runtime or a shipper has wrapped are read', async (t) => {
  const lines = lifeOf(LIVES[0], 3)
  t.ok(verify(lines.map((line) => `2026-11-22T10:00:00.1Z stdout F ${line}`)).whole)
  t.ok(verify(lines.map((line) => JSON.stringify({ log: `${line}\n`, stream: 'stdout' }))).whole)
  t.ok(verify(lines.map((line) => JSON.stringify({ host: 'a', message: line }))).whole)
  t.ok(verify(lines.map((line) => `${line}\r`)).whole)
})

t.test('what was removed, altered or doubled is named by life and number', async (t) => {
  const lines = lifeOf(LIVES[0], 20)
  const [life] = LIVES
  t.same(verify(without(lines, 7)).told, [`MISSING: life ${life}, number 8`])
  t.same(verify(without(lines, 7, 8, 9)).told, [`MISSING: life ${life}, numbers 8 to 10`])
  t.same(verify(without(lines, 0)).told, [`MISSING: life ${life}, number 1`])
  t.match(verify(without(lines, 0)).lives, [{ completeTo: 0 }])
  t.same(verify(without(lines, 0, 1), KEYS, true).told, [], '--partial misses no beginning')
  t.match(verify(without(lines, 7)).lives, [{ completeTo: 7, highest: 22 }])
  t.same(verify([...lines, lines[4]!]).told, [`DOUBLED: life ${life}, number 5 (log, line 23)`])

  const altered = 'its MAC does not fit its text (log, line 6)'
  const change = (from: RegExp | string, to: string) =>
    verify(lines.map((line, i) => (i === 5 ? line.replace(from, to) : line))).told
  t.same(change('"user_id":"u4"', '"user_id":"u5"'), [`ALTERED: life ${life}, number 6: ${altered}`])
  t.same(change('"caller":"megdocs"', '"caller":"nobody"'), [`ALTERED: life ${life}, number 6: ${altered}`])
  t.same(change(/"mac":"./, '"mac":"!'), [`ALTERED: life ${life}, number 6: ${altered}`])
  t.same(change('"msg"', ' "msg"'), [`ALTERED: life ${life}, number 6: ${altered}`])
  t.same(change('"number":6', '"number":90'), [
    `ALTERED: life ${life}, number 90: ${altered}`,
    `MISSING: life ${life}, number 6`,
    `MISSING: life ${life}, numbers 23 to 89`,
  ])
  t.same(change(',"user_id"', ',"prev":"x","user_id"'), [`ALTERED: life ${life}, number 6: ${altered}`])
  t.notOk(verify(without(lines, 7)).whole)
})

t.test('any single character that changes in a line is found', async (t) => {
  const lines = lifeOf(LIVES[0], 2)
  const at = 2
  const text = lines[at]!
  const unnoticed: number[] = []
  for (let i = 0; i < text.length; i++) {
    const changed = `${text.slice(0, i)}${text[i] === '0' ? '1' : '0'}${text.slice(i + 1)}`
    if (verify(lines.map((line, n) => (n === at ? changed : line))).whole) unnoticed.push(i)
  }
  t.strictSame(unnoticed, [])
})

t.test('a member that is added after the MAC is found: JSON.parse would take it instead of the first', async (t) => {
  const lines = lifeOf(LIVES[0], 3)
  const held: unknown[] = []
  for (const added of [',"user_id":"u9"', ',"number":90', ',"life":"CCCCCCCCCCCCCCCC"', ',"x":1', ' ']) {
    const changed = lines.map((line, i) => (i === 2 ? `${line.slice(0, -1)}${added}}` : line))
    const { told, whole } = verify(changed)
    t.match(told[0], /^ALTERED: .*: its MAC does not fit its text \(log, line 3\)$/, added)
    t.notOk(whole)
    const verifier = createVerifier({ keys: KEYS, onLine: ({ user_id }) => void held.push(user_id) })
    for (const [i, line] of changed.entries()) verifier.take(line, { file: 'log', line: i + 1 }, true)
  }
  t.notOk(held.includes('u9') || held.includes('u1'), 'and `audit user` does not show it')
})

t.test('without keys a line may hold anything: what has another form is foreign, or not used', async (t) => {
  const lines = lifeOf(LIVES[0], 3, [])
  const change = (from: string | RegExp, to: string) =>
    verify(
      lines.map((line, i) => (i === 2 ? line.replace(from, to) : line)),
      [],
    ).told
  t.same(change(/"time":"[^"]*"/, '"time":"\\u001b[2J"'), [
    'FOREIGN: its members have another form (log, line 3)',
    `MISSING: life ${LIVES[0]}, number 3`,
  ])
  t.match(change('"user_id":"u1"', '"user_id":1')[0], /^FOREIGN/)
  t.same(change('"token_handed_out"', '"heads","heads":[null,1,{"life":"x","number":"9"}]'), [])
})

t.test(
  'lines of another deployment, without a MAC or with a MAC of a guessed key are foreign or altered',
  async (t) => {
    const lines = lifeOf(LIVES[0], 3)
    t.same(verify([...lines, ...lifeOf(LIVES[1], 0, OLD)]).told, [
      'FOREIGN: its key a0 is not in AUDIT_KEYS (log, line 6)',
      'FOREIGN: its key a0 is not in AUDIT_KEYS (log, line 7)',
    ])
    t.same(verify([...lines, ...lifeOf(LIVES[1], 0, [])]).told.length, 2)
    t.match(verify([...lines, ...lifeOf(LIVES[1], 0, [])]).told[0]!, /^FOREIGN: it has no MAC/)
    const forger = lifeOf(LIVES[0], 30, parseSealingKeys(generateSealingKey('a1')))
    t.match(verify([...lines, forger[20]!]).told, [/^ALTERED: life A+, number 21: its MAC/])
  },
)

t.test('a new version of a life under the same key does not follow the old one', async (t) => {
  const lines = lifeOf(LIVES[0], 10)
  const again = lifeOf(LIVES[0], 10)
  t.same(verify([...lines.slice(0, 5), ...again.slice(5)]).told, [
    `BROKEN: life ${LIVES[0]}, number 6 does not follow the line before it`,
  ])
})

t.test('the end that is missing is known from the heads that others logged', async (t) => {
  const lines = lifeOf(LIVES[0], 20)
  const other = chain(LIVES[1])
  const mac = (JSON.parse(lines[19]!) as { mac: string }).mac
  const heads = [
    other.next({ audit: 'life_began' }),
    other.next({ audit: 'heads', heads: [{ life: LIVES[0], number: 20, mac }] }),
    other.next({ audit: 'heads', heads: [{ life: LIVES[2], number: 7, mac }] }),
  ].map(({ text }) => text.trimEnd())
  t.same(verify([...lines.slice(0, 12), ...heads]).told, [
    `MISSING: life ${LIVES[0]}, numbers 13 to 20; other replicas saw them`,
    `MISSING: life ${LIVES[2]}, numbers 1 to 7; other replicas saw them`,
  ])
  const cut = verify([...lines.slice(0, 20), ...heads.slice(0, 2)])
  t.ok(cut.whole, 'a killed process whose newest line is there')
  t.match(cut.lives, [{ life: LIVES[0], completeTo: 20, ended: false, seenByOthers: 20 }, {}])
  const forged = lines.slice(0, 19).concat(lifeOf(LIVES[0], 20)[19]!)
  t.match(verify([...forged, ...heads.slice(0, 2)]).told, [/^BROKEN/, /^BROKEN/])
})

t.test(
  'a line that was cut off at the end of a killed process is unfinished; in the middle it is altered',
  async (t) => {
    const lines = lifeOf(LIVES[0], 10)
    const whole = `${lines.slice(0, 6).join('\n')}\n`
    for (const length of [lines[6]!.length - 1, 250, 110, 70]) {
      const verifier = createVerifier({ keys: KEYS })
      for (const [i, line] of whole.trimEnd().split('\n').entries())
        verifier.take(line, { file: 'a', line: i + 1 }, true)
      verifier.take(lines[6]!.slice(0, length), { file: 'a', line: 7 }, false)
      const report = verifier.report()
      t.ok(report.whole, String(length))
      t.match(report.findings.map(findingSentence), [/^unfinished: /], String(length))
      t.match(report.lives, [{ completeTo: 6, ended: false }])
    }
    const cut = lines.map((line, i) => (i === 6 ? line.slice(0, -10) : line))
    t.match(verify(cut).told, [`ALTERED: life ${LIVES[0]}, number 7: it ends in the middle (log, line 7)`])
  },
)

t.test('a change of keys is a line under both, and each key proves its own part', async (t) => {
  const lines = chain(LIVES[0], OLD)
  const texts = [
    lines.next({ audit: 'life_began' }),
    lines.next({ audit: 'let_go', user_id: '1' }),
    lines.changeKeys([...KEYS, ...OLD]),
    lines.next({ audit: 'let_go', user_id: '2' }),
  ].map(({ text }) => text.trimEnd())
  t.ok(verify(texts, [...KEYS, ...OLD]).whole)
  t.match(JSON.parse(texts[2]!), {
    audit: 'keys_changed',
    key_ids: ['a1', 'a0'],
    mac_key: 'a1',
    mac_under: { a0: String },
  })
  const under = texts[2]!.slice(0, texts[2]!.indexOf(',"mac_under"'))
  t.equal(
    createHmac('sha256', OLD[0]!.key).update(under).digest('base64').slice(0, 22),
    (JSON.parse(texts[2]!) as { mac_under: Record<string, string> }).mac_under['a0'],
  )
  t.equal(verify(texts, KEYS).told.length, 3, 'the lines of the old key are not proven without it')
})

t.test('without keys the numbers are checked, and the report says that nothing is proven', async (t) => {
  const lines = lifeOf(LIVES[0], 5, [])
  t.match(verify(lines, []), { told: [], whole: true, proven: false })
  t.match(verify(without(lines, 3), []).told, [`MISSING: life ${LIVES[0]}, number 4`])
})

// ---- The commands ---------------------------------------------------------------------------------------------------

async function run(args: string[], env: NodeJS.ProcessEnv = { AUDIT_KEYS: TEXT }) {
  const out: string[] = []
  const err: string[] = []
  const status = await runCommandLine(args, {
    env,
    now: () => Date.now(),
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
  })
  return { status, out: out.join('\n'), err: err.join('\n') }
}

t.test('audit verify and audit user read rotated and compressed files and set the exit status', async (t) => {
  const folder = temporaryFolder('token-broker-audit')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const lines = chain(LIVES[0])
  const texts = [
    lines.next({ audit: 'life_began' }).text,
    lines.next({
      audit: 'token_handed_out',
      user_id: '42',
      caller: 'megdocs',
      key_id: 'megdocs-1',
      peer: '10.1.2.3',
      generation: 7,
      tenant_id: 't',
      object_id: 'o',
      context: 'document:4711',
      request_id: 'r-1',
    }).text,
    lines.next({
      audit: 'refused',
      user_id: '42',
      caller: 'reports',
      code: 'caller_forbidden',
      method: 'GET',
      route: '/tokens/:userId',
    }).text,
    lines.next({ audit: 'token_handed_out', user_id: '43', caller: 'megdocs', generation: 8 }).text,
    lines.next({ audit: 'life_ended' }).text,
  ]
  const newer = file('broker.log', texts.slice(3).join(''))
  const older = file('broker.log.1.gz', gzipSync(texts.slice(0, 3).join('')))
  const whole = await run(['audit', 'verify', newer, older])
  t.equal(whole.status, 0)
  t.match(whole.out, /5 lines .* complete to number 5; it ended in order.*\nThe audit is whole/)

  const user = await run(['audit', 'user', '42', newer, older])
  t.equal(user.status, 0)
  t.match(user.out, /^The token of user 42 was handed out 1 times, to megdocs, from /)
  t.match(
    user.out,
    /Z {2}megdocs with key megdocs-1 from 10\.1\.2\.3 was given the token of generation 7, account o of organisation t, for document:4711; request r-1\n/,
  )
  t.match(user.out, /reports was refused: caller_forbidden \(GET \/tokens\/:userId\)/)
  t.notMatch(user.out, /generation 8/)

  const gap = await run(['audit', 'verify', newer])
  t.equal(gap.status, 1)
  t.match(gap.out, /MISSING: life A+, numbers 1 to 3\nThe audit is NOT whole/)
  t.equal((await run(['audit', 'verify', '--partial', newer])).status, 0)
  t.match(JSON.parse((await run(['audit', 'verify', '--json', newer])).out), { whole: false, proven: true })
  t.match(await run(['audit', 'verify', newer, older], {}), { status: 0, out: /No AUDIT_KEYS/ })
  const unsigned = lifeOf(LIVES[1], 2, []).map((line) => line.replace('"megdocs"', '"\\u001b[2J"'))
  const shown = await run(['audit', 'user', 'u1', file('unsigned', `${unsigned.join('\n')}\n`)], {})
  t.match(shown, { status: 0, out: /\?\[2J was given the token/ })
  t.notMatch(shown.out, '\u001b', 'nothing controls the terminal')
  t.match(await run(['audit', 'verify', file('empty', '')]), { status: 1, out: /no audit line/ })
  t.match(await run(['audit', 'verify', join(folder, 'none')]), {
    status: 1,
    err: 'A file cannot be read (ENOENT).',
  })
  t.match(await run(['audit', 'verify', file('bad.gz', Buffer.from([0x1f, 0x8b, 1, 2, 3]))]), { status: 1 })
  for (const args of [['audit'], ['audit', 'verify'], ['audit', 'user', '../x', newer], ['audit', 'burn', newer]])
    t.equal((await run(args)).status, 2, args.join(' '))
  t.match(await run(['audit', 'verify', newer], { AUDIT_KEYS: 'x' }), { status: 1, err: /AUDIT_KEYS/ })

  const taken: string[] = []
  await readAuditFiles([file('torn', `${texts[0]}${texts[1]!.slice(0, 50)}`)], (text, place, complete) => {
    taken.push(`${place.line} ${complete} ${text.length}`)
  })
  t.same(taken, [`1 true ${texts[0]!.length - 1}`, '2 false 50'])
})
