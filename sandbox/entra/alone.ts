/** `node sandbox/entra/main.ts --port 9400 --control-port 9401`: the simulator as a process of its own. */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { crowd, defaultAccounts } from './accounts.ts'
import { defaultClientSecret } from './application.ts'
import { localhostCertificate, type ServerCertificate } from './certificate.ts'
import type { Entra, EntraOptions } from './main.ts'

const usage = `Usage: node sandbox/entra/main.ts [options]
  --port N            sign-in and Graph (default: a free port)
  --control-port N    control (default: a free port)
  --seed N            of everything random (default 1)
  --client-id ID      --client-secret SECRET (repeatable)      --redirect-uri URI (repeatable)
  --crowd N           this many more accounts, user0@contoso.com …
  --tls FILE          TLS and HTTP/2; its certificate is written to FILE, for NODE_EXTRA_CA_CERTS`

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name}: expected a whole number, not ${JSON.stringify(text)}`)
  return Number(text)
}

function readOptions(args: string[]): EntraOptions {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string' },
      'control-port': { type: 'string' },
      seed: { type: 'string' },
      crowd: { type: 'string' },
      tls: { type: 'string' },
      'client-id': { type: 'string' },
      'client-secret': { type: 'string', multiple: true },
      'redirect-uri': { type: 'string', multiple: true },
    },
  })
  const port = whole('port', values.port)
  const controlPort = whole('control-port', values['control-port'])
  const seed = whole('seed', values.seed)
  const extra = whole('crowd', values.crowd)
  return {
    ...(port !== undefined && { port }),
    ...(controlPort !== undefined && { controlPort }),
    ...(seed !== undefined && { seed }),
    ...(extra !== undefined && { accounts: [...defaultAccounts, ...crowd(extra)] }),
    ...(values.tls !== undefined && { tls: certificateIn(values.tls) }),
    ...(values['client-id'] !== undefined && { clientId: values['client-id'] }),
    ...(values['client-secret'] && { clientSecrets: values['client-secret'] }),
    ...(values['redirect-uri'] && { redirectUris: values['redirect-uri'] }),
  }
}

function certificateIn(file: string): ServerCertificate {
  const certificate = localhostCertificate()
  writeFileSync(file, certificate.cert)
  return certificate
}

/** Starts, says where, and ends on SIGINT or SIGTERM. A bad option or a taken port ends with a word and exit code 1. */
export async function runAlone(start: (options: EntraOptions) => Promise<Entra>, args: string[]): Promise<void> {
  let entra: Entra
  try {
    entra = await start(readOptions(args))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exitCode = 1
    return
  }
  const { app } = entra.control.state()
  console.log(`
  ################################################################
  #   SIMULATED Microsoft Entra. Anybody can sign in as anybody. #
  #   For development and tests on this machine only.            #
  ################################################################

  sign-in        ${entra.url}
  Graph          ${entra.graphUrl}/v1.0/me
  control        ${entra.controlUrl}/control
  client id      ${entra.clientId}
  client secret  ${entra.clientSecret === defaultClientSecret ? defaultClientSecret : '(as given)'}
  redirect URIs  ${app.redirectUris.join('\n                 ')}
  seed           ${entra.seed}
`)
  const end = (): void => void entra.close()
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
}
