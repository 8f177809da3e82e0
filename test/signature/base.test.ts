import t from 'tap'
import { fieldsOf, normalizeAuthority, requestComponent, signatureBase } from '../../src/signature/base.ts'
import type { RequestMessage } from '../../src/signature/base.ts'

const request: RequestMessage = {
  method: 'get',
  target: '/a/../b//%2F;x?c?d=%41',
  scheme: 'https',
  rawHeaders: [
    'HOST',
    'Broker.Internal:443',
    'Accept',
    ' \ta\t ',
    'accept',
    'b',
    '@method',
    'x',
    '@foo',
    'x',
    'X-Nbsp',
    '\u00a0a',
  ],
}
const value = (name: string, message: RequestMessage = request) =>
  requestComponent(message, fieldsOf(message.rawHeaders), name)

t.test('no part of a request is normalized, decoded or upper-cased', async (t) => {
  t.equal(value('@method'), 'get')
  t.equal(value('@path'), '/a/../b//%2F;x')
  t.equal(value('@query'), '?c?d=%41')
  t.equal(value('@target-uri'), 'https://broker.internal/a/../b//%2F;x?c?d=%41')
})

t.test('field lines are stripped of spaces and tabs around them, and of nothing else', async (t) => {
  t.equal(value('accept'), 'a, b')
  t.equal(value('x-nbsp'), '\u00a0a')
  t.equal(value('x-none'), undefined)
})

t.test('a name with @ is never looked up as a field', async (t) => {
  t.equal(value('@foo'), undefined)
  t.equal(value('@Method'), undefined)
})

t.test('the authority is the single Host line, in lower case, without the default port of the scheme', async (t) => {
  t.equal(value('@authority'), 'broker.internal')
  for (const rawHeaders of [[], ['Host', 'a', 'host', 'a']]) {
    t.equal(value('@authority', { ...request, rawHeaders }), undefined)
    t.equal(value('@target-uri', { ...request, rawHeaders }), undefined)
  }
  t.equal(normalizeAuthority('A:80', 'http'), 'a')
  t.equal(normalizeAuthority('A:80', 'https'), 'a:80')
  t.equal(normalizeAuthority('[::1]:443', 'https'), '[::1]')
})

t.test('the base has a line feed between lines and none at the end', async (t) => {
  const base = signatureBase(
    [
      ['"@method"', 'GET'],
      ['"@path"', '/'],
    ],
    '("@method" "@path")',
  )
  t.equal(base, '"@method": GET\n"@path": /\n"@signature-params": ("@method" "@path")')
  t.equal(signatureBase([], '()'), '"@signature-params": ()')
})
