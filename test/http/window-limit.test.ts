import t from 'tap'
import { createWindowLimit } from '../../src/http/window-limit.ts'

t.test('a key may use its limit in each window, and is told when the window ends', async (t) => {
  let now = 0
  const limit = createWindowLimit({ max: 2, windowMs: 60_000, now: () => now })
  t.equal(limit.take('a'), undefined)
  t.equal(limit.take('a'), undefined)
  now = 20_000
  t.match(limit.take('a'), { retryAfterSeconds: 40, first: true })
  t.match(limit.take('a'), { retryAfterSeconds: 40, first: false })
  t.equal(limit.take('b'), undefined, 'another key has its own')
  now = 60_000
  t.equal(limit.take('a'), undefined)
})

t.test('keys whose window is over are forgotten', async (t) => {
  let now = 0
  const limit = createWindowLimit({ max: 1, windowMs: 60_000, now: () => now })
  for (let n = 0; n < 1_000; n++) limit.take(`key ${n}`)
  t.equal(limit.size, 1_000)
  now = 60_000
  limit.sweep()
  t.equal(limit.size, 0)
})

t.test('there are never more keys than allowed: the oldest is forgotten', async (t) => {
  const limit = createWindowLimit({ max: 1, windowMs: 60_000, now: () => 0, maxKeys: 3 })
  for (const key of ['a', 'b', 'c', 'd']) t.equal(limit.take(key), undefined)
  t.equal(limit.size, 3)
  t.ok(limit.take('d'), 'still counted')
  t.equal(limit.take('a'), undefined, 'counted from the beginning')
})
