import type { AuthorizePageFault } from '../core/microsoft-port.ts'
import type { Reason } from '../core/failure.ts'
import { findRow } from './aadsts.ts'
import type { Answer } from './answer.ts'
import { judgeCallback } from './callback.ts'

/**
 * What Microsoft's authorize page says to a visitor without a session who asks with `prompt=none`
 * (docs/microsoft.md#authorize-request): a redirect to our redirect URI with `login_required` if all is right, which
 * also proves that this URI is registered; else a page of its own with an AADSTS number. Pure.
 */
export interface AuthorizePageFinding {
  fault: Reason | AuthorizePageFault
  aadsts?: number
}

/** Codes that have a better word here than the table's, which knows the registration as a whole. */
const FAULTS: readonly (readonly [RegExp, AuthorizePageFault])[] = [
  [/^(?:50011\d?|900971|50029)$/, 'redirect_uri_not_registered'],
  [/^(?:700016|70001|700011)$/, 'application_not_found'],
  [/^(?:7000112|7000116)$/, 'application_disabled'],
  [/^(?:90002|90049)$/, 'tenant_not_found'],
]

/** Undefined: the page is as it should be. `endpoint` and `redirectUri`: what was asked. */
export function judgeAuthorizePage(
  answer: Answer,
  { endpoint, redirectUri }: { endpoint: string; redirectUri: string },
): AuthorizePageFinding | undefined {
  const { status, headers, body } = answer
  if (status === 429) return { fault: 'throttled' }
  if (status === 408 || status >= 500) return { fault: 'microsoft_error' }
  const [location] = [headers['location']].flat()
  if (status >= 300 && status < 400 && location !== undefined) return judgeRedirect(location, { endpoint, redirectUri })
  const number = /AADSTS(\d{4,9})(?!\d)/.exec(body)?.[1]
  if (number !== undefined) return findingOf(Number(number))
  // Of a page without a number, Microsoft's own header tells it from that of a filter.
  const isMicrosoft = status === 200 && headers['x-ms-request-id'] !== undefined
  return isMicrosoft ? undefined : { fault: 'microsoft_bad_answer' }
}

function judgeRedirect(
  location: string,
  { endpoint, redirectUri }: { endpoint: string; redirectUri: string },
): AuthorizePageFinding | undefined {
  const target = URL.parse(location, endpoint)
  if (target === null) return { fault: 'microsoft_bad_answer' }
  const ours = new URL(redirectUri)
  // Another page of the sign-in itself.
  if (target.origin !== ours.origin || target.pathname !== ours.pathname)
    return target.origin === new URL(endpoint).origin ? undefined : { fault: 'microsoft_bad_answer' }
  const { searchParams } = target
  const [error, errorDescription, errorUri] = ['error', 'error_description', 'error_uri'].map(
    (name) => searchParams.get(name) ?? undefined,
  )
  if (error === undefined) return { fault: 'microsoft_bad_answer' }
  const { reason, microsoft } = judgeCallback({
    error,
    ...(errorDescription !== undefined && { errorDescription }),
    ...(errorUri !== undefined && { errorUri }),
  })
  if (reason === 'sign_in_required') return undefined
  return microsoft.aadsts === undefined ? { fault: reason } : findingOf(microsoft.aadsts, error)
}

function findingOf(aadsts: number, error?: string): AuthorizePageFinding | undefined {
  const named = FAULTS.find(([codes]) => codes.test(String(aadsts)))?.[1]
  const row = findRow([aadsts], error)
  // Signing in is what a visitor without a session is asked for.
  if (row?.reason === 'sign_in_required') return undefined
  // On the configured path, what is not there is a mistake of ours.
  const reason = row === undefined || row.organisation === 'stored_tenant' ? 'app_registration' : row.reason
  return { fault: named ?? reason, aadsts }
}
