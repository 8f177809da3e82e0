import type { Dispatcher } from 'undici'
import type { MicrosoftError, Reason } from '../core/failure.ts'
import type { Clock } from '../core/ports.ts'
import type { Answer } from './answer.ts'
import type { Authenticator, Credential } from './credential.ts'
import { EXCHANGE_TIMEOUT_MS, send } from './exchange.ts'
import type { FederatedTokenState } from './federated-token.ts'
import { judgeRefresh } from './verdict.ts'

/** Requests to the token endpoint, authenticated with the credential that works (RFC 6749 sections 2.3 and 3.2). */
export interface TokenEndpoint {
  /**
   * One exchange and its judgement; `beganAt` as `clock.elapsed()`, milliseconds. At most EXCHANGE_TIMEOUT_MS in all.
   */
  exchange<J extends Judged>(
    url: string,
    form: Record<string, string>,
    requestId: string,
    judge: Judge<J>,
  ): Promise<Exchanged<J>>
  /** Tries each credential, newest first, with a refresh token that is none. */
  probe(url: string): Promise<CredentialCheck[]>
}

interface Judged {
  kind: string
  reason?: Reason
}
type Judge<J> = (answer: Answer) => J
type NotSent =
  | { kind: 'try_later'; reason: Reason; microsoft: MicrosoftError }
  | { kind: 'misconfigured'; reason: Reason; everybody: true; microsoft: MicrosoftError }
/** There is nothing to authenticate with. As if Microsoft had refused our credential: it concerns everybody. */
const NO_CREDENTIAL: NotSent = { kind: 'misconfigured', reason: 'client_credential', everybody: true, microsoft: {} }
interface Exchanged<J> {
  judged: J | NotSent
  /** It was sent twice, and what became of the first is not known. */
  resent: boolean
  beganAt: number
}

export interface CredentialCheck {
  kind: Credential['kind']
  /** ISO 8601, where known. */
  expiresAt?: string
  /** accepted: Microsoft took the credential. refused: it did not. unclear: no answer that tells. */
  result: 'accepted' | 'refused' | 'unclear'
  /** Why no answer came that tells. */
  reason?: Reason
  /** Of a federated token: what is in its file. */
  federatedToken?: FederatedTokenState
  microsoft: MicrosoftError
}

/**
 * `authenticators` newest first, may change between two exchanges; `deadline` gives a signal that aborts after so many
 * milliseconds.
 */
export function createTokenEndpoint(options: {
  clientId: string
  authenticators: readonly Authenticator[]
  dispatcher: Dispatcher
  deadline: (ms: number) => AbortSignal
  clock: Clock
}): TokenEndpoint {
  const { clientId, authenticators, dispatcher, deadline, clock } = options
  /**
   * The credential that worked last is tried first: a new secret that Microsoft does not know everywhere yet must not
   * cost two requests each time.
   */
  let preferred = authenticators[0]

  async function attempt<J extends Judged>(
    authenticator: Authenticator,
    request: { url: string; form: Record<string, string>; requestId?: string; signal: AbortSignal },
    judge: Judge<J>,
  ): Promise<{ judged: J | NotSent; resent: boolean }> {
    let fields = await authenticator.fields(request.url)
    if (fields === undefined) return { judged: NO_CREDENTIAL, resent: false }
    let isFirst = true
    const form = async () => {
      if (!isFirst) fields = (await authenticator.fields(request.url)) ?? fields
      isFirst = false
      return { client_id: clientId, ...request.form, ...fields }
    }
    const sent = await send(dispatcher, { ...request, form })
    return 'answer' in sent
      ? { judged: judge(sent.answer), resent: sent.resent === true }
      : { judged: { kind: 'try_later', reason: sent.failed, microsoft: {} }, resent: false }
  }

  async function exchange<J extends Judged>(
    url: string,
    form: Record<string, string>,
    requestId: string,
    judge: Judge<J>,
  ): Promise<Exchanged<J>> {
    const signal = deadline(EXCHANGE_TIMEOUT_MS)
    const beganAt = clock.elapsed()
    const inOrder = authenticators.toSorted((a, b) => Number(b === preferred) - Number(a === preferred))
    let refused: J | NotSent | undefined
    let resent = false
    for (const authenticator of inOrder) {
      const attempted = await attempt(authenticator, { url, form, requestId, signal }, judge)
      const { judged } = attempted
      resent ||= attempted.resent
      if (!isCredentialRefusal(judged)) {
        if (judged.kind !== 'try_later') preferred = authenticator
        return { judged, beganAt, resent }
      }
      refused ??= judged
    }
    if (!refused) throw new TypeError('no client credential')
    return { judged: refused, beganAt, resent }
  }

  return {
    exchange,
    async probe(url) {
      const probes: CredentialCheck[] = []
      for (const authenticator of authenticators) {
        const form = { grant_type: 'refresh_token', refresh_token: 'credential-check', scope: 'openid' }
        const request = { url, form, signal: deadline(EXCHANGE_TIMEOUT_MS) }
        const { judged } = await attempt(authenticator, request, (answer) =>
          judgeRefresh(answer, clock.now(), 'configuration'),
        )
        const microsoft = judged.kind === 'answer' ? {} : judged.microsoft
        // Microsoft looks at the credential first: only behind it is the refresh token found to be none.
        const accepted = judged.kind === 'reconnect' && microsoft.error === 'invalid_grant'
        const result = accepted ? 'accepted' : isCredentialRefusal(judged) ? 'refused' : 'unclear'
        const federatedToken = await authenticator.federatedToken?.()
        probes.push({
          kind: authenticator.kind,
          ...(federatedToken && { federatedToken }),
          ...(authenticator.expiresAt && { expiresAt: authenticator.expiresAt }),
          result,
          ...(result === 'unclear' && judged.kind !== 'answer' && { reason: judged.reason }),
          microsoft,
        })
      }
      return probes
    },
  }
}

function isCredentialRefusal({ kind, reason }: Judged): boolean {
  return kind === 'misconfigured' && reason === 'client_credential'
}
