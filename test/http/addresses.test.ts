import t from 'tap'
import { addressKey, canonicalAddress, trustedProxies } from '../../src/http/addresses.ts'

// The addresses that proxies send, and the keys by which their clients are counted.

t.test('one address has one spelling, however a proxy writes it', async (t) => {
  for (const [text, address] of [
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:51234', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:CB00:7107', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:443', '203.0.113.7'],
    ['64:ff9b::cb00:7107', '203.0.113.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:51234', '2001:db8::1'],
    ['"[2001:db8::1]:51234"', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
  ] as const)
    t.equal(canonicalAddress(text), address, text)
  for (const text of ['', 'unknown', '_hidden', '1.2.3', '1.2.3.4.5', '203.0.113.7:999999', '1.2.3.4, 5.6.7.8', 'é'])
    t.equal(canonicalAddress(text), undefined, text)
})

t.test('a key is short whatever was sent, and an IPv6 client has one for all addresses of its /64', async (t) => {
  t.equal(addressKey('203.0.113.170:4711'), '203.0.113.170')
  t.equal(addressKey('2001:db8:1:2:aaaa::1'), addressKey('2001:db8:1:2:ffff:eeee:dddd:cccc'))
  t.not(addressKey('2001:db8:1:2::1'), addressKey('2001:db8:1:3::1'))
  for (const text of ['x'.repeat(32_000), '€'.repeat(32_000), `${'1.'.repeat(16_000)}1`, 'ffff:'.repeat(6_000)])
    t.equal(addressKey(text), addressKey('unknown'), 'what is no address shares one key')
  t.ok(addressKey('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff').length <= 24)
})

t.test('a trusted proxy is recognized with a port, as mapped IPv6 and in a range', async (t) => {
  const trusts = trustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::ffff:198.51.100.0/120'])
  for (const proxy of ['10.1.2.3', '10.1.2.3:443', '::ffff:10.1.2.3', '192.0.2.1', '2001:db8:9::1', '198.51.100.9'])
    t.ok(trusts(proxy), proxy)
  for (const other of ['11.0.0.1', '192.0.2.2', '2001:db9::1', '198.51.101.9', 'unknown', '', '10.0.0.0/8'])
    t.notOk(trusts(other), other)
})
