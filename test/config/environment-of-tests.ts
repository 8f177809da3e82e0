// A right environment, and files, to change one thing in.
import { createHash, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { selfSignedCertificate, toPem } from '../../sandbox/entra/certificate.ts'
import { ConfigError, readConfig } from '../../src/config.ts'
import type { Config, ConfigProblem } from '../../src/config.ts'

export const NOW = Date.UTC(2026, 10, 22)
const DAY = 86_400_000

/** 32 bytes that are the same in every run and look random. */
export function key(name: string): string {
  return createHash('sha256').update(name).digest('base64url')
}

export interface Pair {
  certificate: string
  privateKey: string
}

export function rsaPair(modulusLength = 2048): Pair {
  return certified(generateKeyPairSync('rsa', { modulusLength }))
}

function certified(keys: { publicKey: KeyObject; privateKey: KeyObject }): Pair {
  const der = selfSignedCertificate(keys, { commonName: 'test', notBefore: NOW - DAY, notAfter: NOW + 90 * DAY })
  return { certificate: toPem(der), privateKey: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

export function callers(algorithm: 'hmac-sha256' | 'ed25519' = 'hmac-sha256', more: object = {}): string {
  const raw = generateKeyPairSync('ed25519')
    .publicKey.export({ type: 'spki', format: 'der' })
    .subarray(-32)
    .toString('base64url')
  const material = algorithm === 'ed25519' ? { public_key: raw } : { secret: key('caller') }
  const keys = [{ key_id: 'megdocs-1', algorithm, ...material, not_after: '2027-05-01T00:00:00Z' }]
  return JSON.stringify({ callers: [{ name: 'megdocs', permissions: ['tokens:read'], keys, ...more }] })
}

export const FILES: Record<string, string> = { '/callers.json': callers() }

export const MINIMAL: Record<string, string> = {
  SUBDOMAIN: '',
  MICROSOFT_CLIENT_ID: '11111111-2222-3333-4444-555555555555',
  MICROSOFT_CLIENT_SECRET: 'kYz8Q~abcdefghijklmnopqrstuvwx.yz_0123-4',
  DATABASE_URL: 'postgres://broker:p%40ss@db.internal/token_broker',
  SEALING_KEYS: `2026-11:${key('sealing')}`,
  SESSION_SECRETS: key('session'),
  CALLERS_FILE: '/callers.json',
  ENTRY_URL_CONNECT: 'https://audits.megsupportools.com/microsoft/connect/',
  ENTRY_URL_MANAGE: 'https://audits.megsupportools.com/microsoft/',
  COMPLETION_URL: 'https://audits.megsupportools.com/microsoft/complete/?from=broker',
  INTERNAL_AUTHORITIES: 'token-broker:8081',
  INTERNAL_PLAIN_HTTP: 'yes',
}

type Changes = Record<string, string | undefined>

export function read(changes: Changes = {}, files: Record<string, string> = {}): Config {
  const all: Record<string, string> = { ...FILES, ...files }
  return readConfig(
    { ...MINIMAL, ...changes },
    {
      read(path) {
        const text = all[path]
        if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
        return text
      },
    },
    NOW,
  )
}

/** What is wrong, as `VARIABLE: problem`. */
export function problemsOf(changes: Changes, files: Record<string, string> = {}): string[] {
  return errorOf(changes, files).problems.map(({ variable, problem }: ConfigProblem) => `${variable}: ${problem}`)
}

export function errorOf(changes: Changes, files: Record<string, string> = {}): ConfigError {
  try {
    read(changes, files)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('the configuration was accepted')
}
