/**
 * The last step of a sign-in, for the pages and for control alike: may this account, and what goes back to the
 * application.
 */
import { randomUUID } from 'node:crypto'
import { admits, isPersonal } from './accounts.ts'
import type { Account } from './accounts.ts'
import { describe, newTrace } from './answers.ts'
import type { Trace } from './answers.ts'
import type { AuthorizeRequest, ReturnAddress } from './authorize-request.ts'
import { aadstsCases, Refusal } from './errors.ts'
import { clientInfo } from './grants.ts'
import { needingAdmin } from './scopes.ts'
import type { World } from './world.ts'

/** Parameters on their way back to the application, in Microsoft's order. */
export interface Callback {
  address: ReturnAddress
  parameters: [name: string, value: string][]
}

export type Standing =
  { kind: 'stopped'; refusal: Refusal } | { kind: 'needs_admin' } | { kind: 'needs_consent' } | { kind: 'ready' }

/** What this account still has to do or approve for this request, after sign-in. */
export function standing(world: World, request: AuthorizeRequest, account: Account): Standing {
  if (!admits(request.audience, account)) {
    const where = request.audience.tenant?.name ?? 'work or school accounts'
    const listed = aadstsCases[50020]?.text ?? ''
    const text = listed
      .replace('from identity provider', `'${account.username}'`)
      .replace('in tenant', `in tenant '${where}'`)
    return { kind: 'stopped', refusal: new Refusal(50020, { text }) }
  }
  if (world.policies.disabledSince(account) !== undefined) return { kind: 'stopped', refusal: new Refusal(50057) }
  if (account.signInError !== undefined) return { kind: 'stopped', refusal: new Refusal(account.signInError) }
  const covered = world.consents.covers(account, request.scopes.graph)
  const managed = world.directory.tenantOf(account).userConsent === 'microsoft_managed'
  if (!covered && managed && !account.admin && needingAdmin(request.scopes.graph).length > 0)
    return { kind: 'needs_admin' }
  return { kind: covered && request.prompt !== 'consent' ? 'ready' : 'needs_consent' }
}

/** Records the consent and issues a code. */
export function approve(
  world: World,
  request: AuthorizeRequest,
  account: Account,
  options: { forOrganisation: boolean },
): Callback {
  if (options.forOrganisation) world.consents.recordForOrganisation(account.tenantId, request.scopes.graph)
  world.consents.record(account, request.scopes.graph)
  const code = world.codes.issue({
    account,
    clientId: world.app.clientId,
    audience: request.audience.key,
    redirectUri: request.redirectUri,
    scopes: request.scopes,
    nonce: request.nonce,
    challenge: request.challenge,
    challengeMethod: request.challengeMethod,
    clientInfo: request.clientInfo,
    issuedAt: world.clock.now(),
    epoch: world.revocations.epoch(account),
  })
  const parameters: Callback['parameters'] = [['code', code]]
  if (request.clientInfo) parameters.push(['client_info', clientInfo(account)])
  if (request.state !== undefined) parameters.push(['state', request.state])
  parameters.push(['session_state', randomUUID()])
  return { address: request, parameters }
}

/** "Cancel" on the consent page. A work account's answer has no description at all. */
export function decline(address: ReturnAddress, account: Account | undefined): Callback {
  const parameters: Callback['parameters'] = [['error', 'access_denied']]
  if (account && isPersonal(account)) {
    parameters.push([
      'error_description',
      'The user has denied access to the scope requested by the client application.',
    ])
  } else parameters.push(['error_subcode', 'cancel'])
  return { address, parameters: withState(parameters, address) }
}

/**
 * "Return to the application" on the page "Need admin approval": looks like a cancel
 * (docs/microsoft.md#callback-errors).
 */
export function leaveWithoutApproval(world: World, address: ReturnAddress, trace: Trace): Callback {
  const refusal = new Refusal(65004)
  const parameters: Callback['parameters'] = [
    ['error', 'access_denied'],
    ['error_subcode', 'cancel'],
    ['error_description', describe(refusal, trace, world.app)],
    ['error_uri', `${world.url}/error?code=65004`],
  ]
  return { address, parameters: withState(parameters, address) }
}

/** Any other fault that Microsoft tells the application by redirect. */
export function refuse(world: World, address: ReturnAddress, refusal: Refusal, trace: Trace): Callback {
  const parameters: Callback['parameters'] = [
    ['error', refusal.case.error],
    ['error_description', describe(refusal, trace, world.app)],
    ['error_uri', `${world.url}/error?code=${refusal.code}`],
  ]
  if (refusal.case.suberror) parameters.push(['suberror', refusal.case.suberror])
  if (refusal.case.claims) parameters.push(['claims', refusal.case.claims])
  return { address, parameters: withState(parameters, address) }
}

function withState(parameters: Callback['parameters'], address: ReturnAddress): Callback['parameters'] {
  return address.state === undefined ? parameters : [...parameters, ['state', address.state]]
}

/**
 * The address the browser goes to. For form_post it is the address alone plus the parameters that the form would carry.
 */
export function callbackUrl({ address, parameters }: Callback): string {
  const query = new URLSearchParams(parameters).toString()
  if (address.responseMode === 'fragment') return `${address.redirectUri}#${query}`
  const base =
    URL.parse(address.redirectUri)?.pathname === '/' && !/[^/]\/(\?|$)/.test(address.redirectUri)
      ? new URL(address.redirectUri).href
      : address.redirectUri
  // The empty fragment keeps a fragment of the page before from being inherited; Microsoft sends it since 2020.
  return `${base}${base.includes('?') ? '&' : '?'}${query}#`
}

export function traceOf(world: World, clientRequestId?: unknown): Trace {
  return newTrace(clientRequestId, world.clock.now())
}
