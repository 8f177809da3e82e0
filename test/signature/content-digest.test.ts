import { hash } from 'node:crypto'
import t from 'tap'
import { contentDigest, verifyContentDigest } from '../../src/signature/content-digest.ts'

const body = Buffer.from('{"hello": "world"}')
const member = (name: string, algorithm: string, of: Uint8Array = body) => `${name}=:${hash(algorithm, of, 'base64')}:`
const sha256 = member('sha-256', 'sha256')
const sha512 = member('sha-512', 'sha512')
const md5 = member('md5', 'md5')

t.test('the digest of a body is as in RFC 9530', async (t) => {
  t.equal(contentDigest(body), 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:')
  t.equal(contentDigest(body.toString()), contentDigest(body))
})

t.test('sha-256 and sha-512 are checked, other algorithms are ignored', async (t) => {
  for (const line of [
    sha256,
    sha512,
    `${sha256}, ${sha512}`,
    `${md5}, ${sha256}`,
    `${sha256}, x-new=:AAAA:`,
    contentDigest(body),
  ]) {
    t.equal(verifyContentDigest([line], body), 'matches', line)
  }
  t.equal(verifyContentDigest([contentDigest('')], Buffer.alloc(0)), 'matches', 'the empty body')
})

t.test('each known digest must match', async (t) => {
  const wrong256 = member('sha-256', 'sha256', Buffer.from('x'))
  const wrong512 = member('sha-512', 'sha512', Buffer.from('x'))
  for (const line of [wrong256, wrong512, `${sha256}, ${wrong512}`, `${wrong256}, ${sha512}`]) {
    t.equal(verifyContentDigest([line], body), 'digest_mismatch', line)
  }
  t.equal(verifyContentDigest(['sha-256=::'], body), 'digest_mismatch', 'empty')
  const half = hash('sha256', body, 'buffer').subarray(0, 16).toString('base64')
  t.equal(verifyContentDigest([`sha-256=:${half}:`], body), 'digest_mismatch', 'truncated')
})

t.test('weak and unknown algorithms alone are not enough', async (t) => {
  for (const line of [
    md5,
    member('sha', 'sha1'),
    member('sha1', 'sha1'),
    'crc32c=:AAAAAA==:',
    `unixsum=:AAAA:, ${md5}`,
  ]) {
    t.equal(verifyContentDigest([line], body), 'digest_unsupported', line)
  }
})

t.test('missing, repeated and malformed fields are refused', async (t) => {
  t.equal(verifyContentDigest([], body), 'digest_missing')
  t.equal(verifyContentDigest([sha256, sha256], body), 'digest_malformed', 'two lines')
  const broken = ['', 'sha-256', `${sha256}, ${sha256}`, `${sha256},`, `${sha256};a`, sha256.toUpperCase()]
  for (const line of [...broken, sha256.replace('=:', '='), sha256.replace(/=:$/, ':')]) {
    t.equal(verifyContentDigest([line], body), 'digest_malformed', line)
  }
  t.equal(verifyContentDigest([`${sha256}, x=:${'A'.repeat(1024)}:`], body), 'digest_malformed', 'too long')
})
