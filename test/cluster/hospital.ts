import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import postgres from 'postgres'
import { type Database, startDatabase } from '../../sandbox/database.ts'
import { type Entra, startEntra } from '../../sandbox/entra/main.ts'
import { documentedRole } from '../support/grants.ts'

// What a hospital has around the cluster: a certificate authority, Postgres, an ingress, and the simulated Microsoft.

/** As in test/cluster/cluster. */
export const IPV6 = process.env['CLUSTER_FAMILY'] === 'ipv6'
export const NODE_ADDRESS = IPV6 ? 'fd00:10::1' : '10.10.0.1'
export const NODE_CIDR = IPV6 ? `${NODE_ADDRESS}/128` : `${NODE_ADDRESS}/32`
export const PODS_CIDR = IPV6 ? 'fd00:244::/56' : '10.244.0.0/16'
/** SUBDOMAIN -staging, as in the README of the chart. */
export const PUBLIC_HOST = 'audits-staging.megsupportools.com'
const LOGIN_HOST = 'login.hospital.example'
export const LOGIN_URL = `https://${LOGIN_HOST}`
const DATABASE_HOST = 'db.hospital.example'

export interface Certificate {
  cert: string
  key: string
}

/** Makes an authority in this folder; the result issues certificates with these DNS names. */
export function certificateAuthority(folder: string): { ca: string; issue(names: readonly string[]): Certificate } {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  const subject = '/CN=Hospital'
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    subject,
    '-days',
    '30',
  )
  const ca = readFileSync(join(folder, 'ca.crt'), 'utf8')
  let issued = 0
  return {
    ca,
    issue(names) {
      const name = `issued-${(issued += 1)}`
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names.map((host) => `DNS:${host}`).join(',')}\n`)
      openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        '/CN=server',
      )
      const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-extfile', `${name}.ext`]
      openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signing)
      return {
        cert: readFileSync(join(folder, `${name}.crt`), 'utf8'),
        key: readFileSync(join(folder, `${name}.key`), 'utf8'),
      }
    },
  }
}

export interface HospitalDatabase {
  server: Database
  /** As the role that serves and as the owner, under the name that pods use. */
  url: string
  ownerUrl: string
  close(): Promise<void>
}

/** Postgres on the node's address, with the database, its owner and the documented role that serves. */
export async function hospitalDatabase(folder: string, password: string): Promise<HospitalDatabase> {
  const hba = join(folder, 'pg_hba.conf')
  writeFileSync(hba, 'host all all 0.0.0.0/0 scram-sha-256\nhost all all ::/0 scram-sha-256\n', { mode: 0o644 })
  chmodSync(folder, 0o755)
  const server = await startDatabase({ port: 5432, settings: { listen_addresses: '*', hba_file: hba } })
  const admin = postgres(server.url, { max: 1, onnotice: () => {} })
  await admin.unsafe(`create role token_broker_owner login password '${password}'`)
  await admin.unsafe('create database token_broker owner token_broker_owner')
  await admin.unsafe(documentedRole(password).role)
  await admin.end()
  const urlOf = (role: string): string => `postgres://${role}:${password}@${DATABASE_HOST}:5432/token_broker`
  return {
    server,
    url: urlOf('token_broker'),
    ownerUrl: urlOf('token_broker_owner'),
    close: () => server.close(),
  }
}

export async function simulatedMicrosoft(): Promise<Entra> {
  return startEntra({
    redirectUris: [`https://${PUBLIC_HOST}/auth/oauth2/microsoft/callback`],
    publicUrl: LOGIN_URL,
  })
}

/**
 * TLS on port 443 of the node, as the ingress has it and Microsoft: each host name leads to one address of plain HTTP.
 * `broker`: address of the public service.
 */
export async function openEdge(
  certificate: Certificate,
  targets: { microsoftPort: number; broker: () => { host: string; port: number } },
): Promise<{ close(): Promise<void> }> {
  const server = createServer(certificate, (request, response) => {
    const host = request.headers.host ?? ''
    const target = host.startsWith(LOGIN_HOST) ? { host: '127.0.0.1', port: targets.microsoftPort } : targets.broker()
    const headers = {
      ...request.headers,
      'x-forwarded-proto': 'https',
      'x-forwarded-for': request.socket.remoteAddress ?? '',
    }
    const onward = httpRequest({ ...target, method: request.method, path: request.url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.writeHead(502).end())
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(443, NODE_ADDRESS, resolve))
  return {
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export const edgeCertificateNames = [LOGIN_HOST, PUBLIC_HOST]
