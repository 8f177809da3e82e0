import { createHash } from 'node:crypto'
import t from 'tap'
import { NonceMemory, replayKey } from '../../src/signature/nonces.ts'
import { verifyRequest } from '../../src/signature/verify.ts'
import { get, message, NOW, NOW_S, OPTIONS, params } from './support.ts'

const memoryOf = (capacity?: number) => new NonceMemory({ secret: 'test', ...(capacity !== undefined && { capacity }) })

t.test('a nonce is new once for each key', async (t) => {
  const memory = memoryOf()
  t.equal(memory.remember('a', 'nonce', NOW), 'new')
  t.equal(memory.remember('a', 'nonce', NOW + 1), 'replayed')
  t.equal(memory.remember('b', 'nonce', NOW + 1), 'new')
  t.equal(memory.remember('a', 'nonce2', NOW + 1), 'new')
  t.equal(memory.size, 3)
})

t.test(
  'a nonce is remembered as long as a request with it could be accepted, at any time of the rotation',
  async (t) => {
    // The longest possible time: created 5 s ahead of our clock, valid for 60 s, 5 s of skew.
    const request = message(get({ params: params({ created: `${NOW_S + 5}`, expires: `${NOW_S + 65}` }) }))
    const acceptedAt = (ms: number) => verifyRequest(request, { ...OPTIONS, now: NOW + ms }).kind === 'verified'
    t.same([acceptedAt(0), acceptedAt(69_999), acceptedAt(70_000)], [true, true, false])
    for (let started = 0; started <= 140_000; started += 500) {
      const memory = memoryOf(1000)
      memory.remember('k', 'first', NOW - started)
      memory.remember('k', 'between', NOW - started / 2)
      memory.remember('k', 'nonce', NOW)
      for (let ms = 1000; ms < 70_000; ms += 3000) memory.remember('k', `traffic-${ms}`, NOW + ms)
      if (memory.remember('k', 'nonce', NOW + 69_999) !== 'replayed')
        return t.fail(`first table begun ${started} ms before`)
    }
  },
)

t.test(
  'after the clock is set back by up to 70 s, no nonce that could be accepted is forgotten, at any time of the rotation',
  async (t) => {
    for (const started of [0, 35_000, 69_999, 70_000]) {
      for (let back = 1000; back <= 70_000; back += 3000) {
        for (let after = 0; after <= 70_000; after += 3500) {
          const memory = memoryOf(1000)
          memory.remember('k', 'first', NOW - started)
          memory.remember('k', 'nonce', NOW)
          for (let ms = 0; ms <= after; ms += 3500) memory.remember('k', `before-${ms}`, NOW + ms)
          for (let ms = after - back; ms < 70_000; ms += 3500) memory.remember('k', `after-${ms}`, NOW + ms)
          if (memory.remember('k', 'nonce', NOW + 69_999) === 'replayed') continue
          return t.fail(`first table begun ${started} ms before, ${after} ms later set back by ${back} ms`)
        }
      }
    }
  },
)

t.test('after the clock is set back by an hour, a full memory does not stay full for an hour', async (t) => {
  const memory = memoryOf(100)
  const HOUR = 3_600_000
  for (let i = 0; i < 100; i++) memory.remember('k', `${i}`, NOW)
  t.equal(memory.remember('k', 'more', NOW - HOUR), 'full')
  t.equal(memory.remember('k', '5', NOW - HOUR), 'replayed', 'what it has it still knows')
  t.equal(memory.remember('k', 'more', NOW - HOUR + 140_000), 'new')
  t.equal(memory.remember('k', '5', NOW - HOUR + 140_000), 'replayed', 'the full table is still looked at')
})

t.test('nonces are forgotten after at most twice that time', async (t) => {
  const memory = memoryOf()
  memory.remember('k', 'nonce', NOW)
  t.equal(memory.remember('k', 'later', NOW + 140_000), 'new')
  t.equal(memory.size, 1)
  t.equal(memory.remember('k', 'nonce', NOW + 140_000), 'new')
})

t.test('a full memory refuses new nonces, still knows the old ones, and accepts nonces again later', async (t) => {
  const memory = memoryOf(100)
  for (let i = 0; i < 100; i++) t.equal(memory.remember('k', `${i}`, NOW), 'new')
  t.equal(memory.remember('k', 'more', NOW), 'full')
  t.equal(memory.remember('k', 'more', NOW), 'full', 'it was not noted')
  for (let i = 0; i < 100; i++) t.equal(memory.remember('k', `${i}`, NOW), 'replayed')
  t.equal(memory.remember('k', 'more', NOW + 70_000), 'new')
  t.equal(memory.remember('k', '5', NOW + 70_000), 'replayed', 'the full table is still looked at')
})

t.test('100,000 different nonces are new at first and known afterwards', async (t) => {
  const memory = memoryOf(100_000)
  const outcomes = () => new Set(Array.from({ length: 100_000 }, (_, i) => memory.remember('k', `${i}`, NOW)))
  t.same([...outcomes()], ['new'])
  t.same([...outcomes()], ['replayed'])
})

t.test('the key of the shared table is SHA-256 over key id, zero, nonce', async (t) => {
  t.same(replayKey('k', 'n'), createHash('sha256').update('k').update(Buffer.of(0)).update('n').digest())
  t.notSame(replayKey('kn', 'x'), replayKey('k', 'nx'))
})
