import t from 'tap'
import { createLogOutput, QUEUE_LIMITS, WRITE_TIMEOUT_MS } from '../../src/telemetry/log-output.ts'

// The output of the log against a file descriptor of which every write can be made to fail.

const turn = () => new Promise((resolve) => setImmediate(resolve))

t.test('who asks after the output has closed is called too', async (t) => {
  const { output, awaited, fail } = fake()
  fail('EPIPE')
  awaited('line\n')
  output.flush()
  t.equal(output.state(), 'closed')
  await new Promise<void>((resolve) => output.onClosed(resolve))
})

function fake() {
  const written: string[] = []
  let behave: (bytes: Buffer) => number = (bytes) => bytes.length
  let writes = 0
  let time = 0
  const output = createLogOutput({
    writeSync(bytes) {
      writes += 1
      const count = behave(bytes)
      written.push(bytes.subarray(0, count).toString())
      return count
    },
    elapsed: () => time,
  })
  const awaited = (line: string) => {
    const waiting: { ok?: boolean } = {}
    output.writeAwaited(line, (ok) => {
      if (waiting.ok !== undefined) throw new Error('answered twice')
      waiting.ok = ok
    })
    return waiting
  }
  return {
    output,
    awaited,
    text: () => written.join(''),
    writes: () => writes,
    behave: (how: typeof behave) => void (behave = how),
    fail: (code: string) =>
      void (behave = () => {
        throw Object.assign(new Error(code), { code })
      }),
    pass: (ms: number) => void (time += ms),
  }
}

t.test('lines of answers that are ready together leave in one write, in one order with the other lines', async (t) => {
  const { output, awaited, text, writes } = fake()
  output.write('a\n')
  const one = awaited('1\n')
  output.write('b\n')
  const two = awaited('2\n')
  t.same([one.ok, two.ok, text()], [undefined, undefined, ''], 'nobody is answered before the write')
  await turn()
  t.equal(text(), 'a\n1\nb\n2\n')
  t.same([one.ok, two.ok, writes()], [true, true, 1])
})

t.test('a line counts as written when its last byte is out, and a torn write continues where it ended', async (t) => {
  const { output, awaited, text, behave, fail } = fake()
  let calls = 0
  behave((bytes) => {
    calls += 1
    if (calls > 1) throw Object.assign(new Error('full'), { code: 'EAGAIN' })
    return bytes.length - 1
  })
  const line = awaited('äöü-a whole line\n')
  await turn()
  t.equal(line.ok, undefined, 'one byte is missing')
  fail('ENOSPC')
  output.flush()
  t.equal(line.ok, undefined)
  behave((bytes) => bytes.length)
  output.flush()
  t.equal(line.ok, true)
  t.equal(text(), 'äöü-a whole line\n')
})

for (const code of ['EAGAIN', 'ENOSPC'])
  t.test(
    `${code}: after two seconds the waiters are refused and the output is blocked, until it goes on`,
    async (t) => {
      const { output, awaited, text, fail, pass, behave } = fake()
      fail(code)
      const early = awaited('early\n')
      await turn()
      pass(WRITE_TIMEOUT_MS - 1)
      const late = awaited('late\n')
      output.flush()
      t.same([early.ok, output.state()], [undefined, 'open'])
      pass(1)
      output.flush()
      t.same([early.ok, late.ok, output.state()], [false, undefined, 'blocked'])
      behave((bytes) => bytes.length)
      output.flush()
      t.same([late.ok, output.state()], [true, 'open'])
      t.equal(text(), 'early\nlate\n', 'the line of the refused one kept its place')
    },
  )

t.test('a closed reader refuses everybody at once, and is told once', async (t) => {
  const { output, awaited, fail } = fake()
  let closed = 0
  output.onClosed(() => void (closed += 1))
  fail('EPIPE')
  const line = awaited('line\n')
  await turn()
  t.same([line.ok, output.state(), output.hasRoom()], [false, 'closed', false])
  t.equal(awaited('later\n').ok, false)
  output.write('more\n')
  output.flush()
  t.equal(closed, 1)
})

t.test(
  'what waits has a limit in lines and characters: ordinary lines are dropped, counted and reported',
  async (t) => {
    for (const { line, count } of [
      { line: 'x\n', count: QUEUE_LIMITS.lines },
      { line: `${'x'.repeat(9_999)}\n`, count: QUEUE_LIMITS.characters / 10_000 },
    ]) {
      const { output, awaited, text, fail, behave } = fake()
      fail('EAGAIN')
      awaited('first\n')
      await turn()
      t.ok(output.hasRoom())
      for (let i = 0; i < count + 50; i++) output.write(line)
      t.equal(output.dropped(), 50)
      t.notOk(output.hasRoom(), 'and no audit line is taken')
      behave((bytes) => bytes.length)
      output.flush()
      t.ok(output.hasRoom())
      t.equal(text().split('\n').length, count + 3)
      t.match(text(), /"dropped":50,"msg":"log lines were dropped/)
    }
    const { output, awaited, fail } = fake()
    fail('EAGAIN')
    for (let i = 0; i < QUEUE_LIMITS.audited; i++) awaited('line\n')
    t.notOk(output.hasRoom())
  },
)

t.test('a long queue leaves in pieces, and each waiter is answered with its own piece', async (t) => {
  const { output, awaited, text, fail, behave, writes } = fake()
  fail('EAGAIN')
  awaited('first\n')
  await turn()
  const waiting: { ok?: boolean }[] = []
  const lines = Array.from({ length: 300 }, (_, i) => `${String(i).padStart(999, '.')}\n`)
  for (const [i, line] of lines.entries())
    if (i % 3 === 0) waiting.push(awaited(line))
    else output.write(line)
  const before = writes()
  behave((bytes) => {
    const answered = waiting.filter(({ ok }) => ok).length
    const out = text().split('\n').length - 2
    t.ok(out <= 0 || answered === Math.ceil(out / 3), `${answered} answered, ${out} lines out`)
    return bytes.length
  })
  output.flush()
  t.equal(text(), `first\n${lines.join('')}`)
  t.ok(writes() - before > 4)
  t.ok(waiting.every(({ ok }) => ok))
})
