import t from 'tap'
import { createCallerLimit } from '../../src/http/caller-limit.ts'

function start(max: number) {
  let now = 1_000_000
  let limit = max
  const share = createCallerLimit(
    () => limit,
    () => now,
  )
  return { share, pass: (ms: number) => void (now += ms), raise: (to: number) => void (limit = to) }
}

t.test(
  'a caller may ask so many times a minute, counted from its first; asking whether it may counts nothing',
  async (t) => {
    const { share, pass } = start(3)
    for (let n = 0; n < 3; n++) {
      for (let asked = 0; asked < 9; asked++) t.equal(share.retryAfterSeconds('megdocs'), undefined)
      share.record('megdocs')
      pass(10_000)
    }
    t.equal(share.retryAfterSeconds('megdocs'), 30)
    t.equal(share.retryAfterSeconds('other'), undefined)
    pass(29_999)
    t.equal(share.retryAfterSeconds('megdocs'), 1)
    pass(1)
    t.equal(share.retryAfterSeconds('megdocs'), undefined)
    share.record('megdocs')
    t.equal(share.retryAfterSeconds('megdocs'), undefined, 'a new minute')
  },
)

t.test('a clock that is set back locks nobody out', async (t) => {
  const { share, pass } = start(1)
  share.record('megdocs')
  t.equal(share.retryAfterSeconds('megdocs'), 60)
  pass(-3_600_000)
  t.equal(share.retryAfterSeconds('megdocs'), undefined)
})

t.test('a limit that is raised holds at once', async (t) => {
  const { share, raise } = start(1)
  share.record('megdocs')
  t.equal(share.retryAfterSeconds('megdocs'), 60)
  raise(2)
  t.equal(share.retryAfterSeconds('megdocs'), undefined)
})
