import { BlockList, isIP, isIPv4 } from 'node:net'

// Addresses of clients, as proxies write them into `X-Forwarded-For`.

/** `203.0.113.7:51234`, as Azure Application Gateway sends it. */
const IPV4_AND_PORT = /^"?(\d[\d.]{6,14}):\d{1,5}"?$/
/** `[2001:db8::1]:443`, and `"[2001:db8::1]"` of RFC 7239 section 6. */
const IPV6_IN_BRACKETS = /^"?\[([0-9A-Fa-f:.]{2,45})(?:%[\w.-]{1,32})?\](?::\d{1,5})?"?$/
const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/
/** NAT64 (RFC 6052 section 2.1): the last 32 bits are the IPv4 address of the client. */
const NAT64 = /^64:ff9b::([0-9a-f]{1,4}):([0-9a-f]{1,4})$/
const MAX_ADDRESS = 64

/** One spelling for each address, without port and zone; IPv4 for mapped IPv6. Undefined: not an address. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text
  if (text.length > MAX_ADDRESS) return undefined
  const trimmed = text.trim()
  const decorated = IPV4_AND_PORT.exec(trimmed) ?? IPV6_IN_BRACKETS.exec(trimmed)
  // A link-local address may name its interface.
  const bare = decorated?.[1] ?? trimmed.split('%', 1)[0] ?? ''
  if (isIPv4(bare)) return bare
  if (isIP(bare) === 0) return undefined
  // The parser of URLs compresses IPv6 as RFC 5952 says.
  const compressed = new URL(`http://[${bare}]`).hostname.slice(1, -1)
  const [, high, low] = MAPPED.exec(compressed) ?? NAT64.exec(compressed) ?? []
  return high === undefined || low === undefined ? compressed : dotted(high, low)
}

function dotted(high: string, low: string): string {
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

/** What is no address shares one limit. */
const NO_ADDRESS = 'none'

/**
 * The key by which requests of one client are counted: an IPv4 address, or the /64 of an IPv6 address, because one
 * machine has all addresses of its /64. At most 24 characters, whatever a proxy sent.
 */
export function addressKey(text: string): string {
  const address = canonicalAddress(text)
  if (address === undefined) return NO_ADDRESS
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros: string[] = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0')
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`
}

/**
 * Whether an address is one of our proxies, for Fastify's `trustProxy`. Its own function takes an entry with a port for
 * a stranger. `ranges`: addresses and CIDR ranges.
 */
export function trustedProxies(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', bits] = range.split('/')
    const address = canonicalAddress(net) ?? net
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    const length = Number(bits ?? (isIPv4(net) ? 32 : 128))
    // A range of mapped addresses is a range of IPv4.
    if (family === 'ipv4' && !isIPv4(net)) list.addSubnet(address, Math.max(0, length - 96), family)
    else list.addSubnet(address, length, family)
  }
  return (text) => {
    const address = canonicalAddress(text)
    return address !== undefined && list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}
