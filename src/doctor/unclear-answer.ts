import type { Reason } from '../core/failure.ts'
import { failed, type Finding } from './check.ts'

export const FILTER_ADVICE =
  'Look at the proxy, the filter of web addresses and the firewall between this machine and Microsoft, and allow ' +
  'MICROSOFT_LOGIN_URL there, GET and POST, without a sign-in or a page of its own.'

/** Microsoft's answer does not tell whether it takes the credential. `advice` is for its AADSTS code. */
export function unclear(name: string, reason: Reason | undefined, aadsts: number | undefined, advice: string): Finding {
  if (reason === 'microsoft_bad_answer' && aadsts === undefined) {
    return failed(
      `${name} could not be checked: something on the way answers POST requests in place of Microsoft.`,
      FILTER_ADVICE,
    )
  }
  return failed(
    `${name} could not be checked: Microsoft gave no clear answer${aadsts === undefined ? '' : ` (AADSTS${aadsts})`}.`,
    aadsts === undefined ? 'Try again. If this repeats, look at https://status.cloud.microsoft.' : advice,
  )
}
