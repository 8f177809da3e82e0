/**
 * A self-signed X.509 certificate in plain DER, because JWKS carry x5c and certificate credentials are thumbprints of
 * one.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

function der(tag: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body])
  const length = body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)
const sha256WithRsa = sequence(Buffer.from('06092a864886f70d01010b0500', 'hex'))

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from(commonName)))))
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(0, 14)
  return der(0x18, Buffer.from(`${text}Z`))
}

/** The subjectAltName extension: text is a dNSName, bytes are an iPAddress. RFC 5280 section 4.2.1.6. */
function alternativeNames(names: readonly (string | Buffer)[]): Buffer {
  const general = names.map((entry) => (typeof entry === 'string' ? der(0x82, Buffer.from(entry)) : der(0x87, entry)))
  const extension = sequence(Buffer.from('0603551d11', 'hex'), der(0x04, sequence(...general)))
  return der(0xa3, sequence(extension))
}

/**
 * DER of a certificate for an RSA key pair; the two times are milliseconds since the epoch. RFC 5280 section 4.1.
 * `names`: its alternative names, a DNS name as text and an IP address as its bytes.
 */
export function selfSignedCertificate(
  keys: { publicKey: KeyObject; privateKey: KeyObject },
  facts: { commonName: string; notBefore: number; notAfter: number; names?: readonly (string | Buffer)[] },
): Buffer {
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' })
  const serial = createHash('sha256').update(publicKey).digest().subarray(0, 16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  const body = sequence(
    Buffer.from('a003020102', 'hex'),
    der(0x02, serial),
    sha256WithRsa,
    name(facts.commonName),
    sequence(time(facts.notBefore), time(facts.notAfter)),
    name(facts.commonName),
    publicKey,
    ...(facts.names === undefined ? [] : [alternativeNames(facts.names)]),
  )
  const signature = sign('sha256', body, keys.privateKey)
  return sequence(body, sha256WithRsa, der(0x03, Buffer.from([0]), signature))
}

export function toPem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** PEM. A client that trusts `cert` trusts the server that holds `key`. */
export interface ServerCertificate {
  key: string
  cert: string
}

/** A new certificate of its own authority for `localhost`, 127.0.0.1 and ::1, valid for a day. */
export function localhostCertificate(now = Date.now()): ServerCertificate {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const loopback6 = Buffer.alloc(16)
  loopback6[15] = 1
  const certificate = selfSignedCertificate(keys, {
    commonName: 'localhost',
    notBefore: now - 3_600_000,
    notAfter: now + 86_400_000,
    names: ['localhost', Buffer.from([127, 0, 0, 1]), loopback6],
  })
  return { key: String(keys.privateKey.export({ type: 'pkcs8', format: 'pem' })), cert: toPem(certificate) }
}
