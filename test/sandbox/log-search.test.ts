import t from 'tap'
import { findSecrets, secretsSeen } from '../../sandbox/log-search.ts'

const secret = 'Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4+/='

t.test('nothing is found in a clean log', (t) => {
  const log = '{"msg":"refreshed","user_id":"u-1001","generation":7,"reference":"01JABCDEFGHJKMNPQRSTVWXYZ0"}'
  t.same(findSecrets(log, [secret, 'short', '']), [])
  t.end()
})

t.test('a secret is found complete, shortened and URL-encoded, and is not repeated', (t) => {
  const long = `a+b/c${'x'.repeat(40)}`
  for (const [log, wanted] of [
    [`"url":"/x?y=${secret}"`, secret],
    [`${secret.slice(0, 24)}…`, secret],
    [encodeURIComponent(long), long],
  ] as const) {
    const found = findSecrets(log, [wanted])
    t.equal(found.length, 1, log)
    t.notOk(found.join('').includes(wanted))
  }
  t.end()
})

t.test('texts in the form of tokens are found without knowing the tokens', (t) => {
  const tokens = ['"x":"eyJ0eXAiOiJKV1QiLCJub25jZSI6"', `1.AXkA${'a'.repeat(60)}`, `Bearer ${'b'.repeat(30)}`]
  for (const log of [...tokens, '{"req":{"headers":{"cookie":"a=b"}}}', '"set-cookie": "a=b"']) {
    t.equal(findSecrets(log, []).length, 1, log)
  }
  t.end()
})

t.test('codes, states, tickets and cookies are collected from the exchanges of a browser', (t) => {
  const seen = secretsSeen([
    {
      method: 'GET',
      url: 'http://h/auth/oauth2/microsoft/connect/ticket-ticket-ticket-1',
      status: 303,
      location: 'http://m/authorize?state=st%2Bate&nonce=n1',
      setCookie: ['__Host-x=s%3Avalue.sig; Path=/'],
    },
    { method: 'GET', url: 'http://h/callback?code=c0de&state=st%2Bate#x', status: 200, setCookie: [] },
  ])
  t.same(new Set(seen), new Set(['ticket-ticket-ticket-1', 'st+ate', 'n1', 's:value.sig', 'c0de']))
  t.end()
})
