/**
 * This folder talks to Microsoft's sign-in service: what is sent, what an answer means, which account an id token
 * names, which scopes exist, and when nothing is sent at all. It does not know the database, HTTP routes, the
 * environment or callers. Microsoft's address is an option, and nothing here is made for the simulator. It logs
 * nothing; tokens leave it only as results.
 */
import { createHash } from 'node:crypto'
import type { Dispatcher } from 'undici'
import type { Reason } from '../core/failure.ts'
import { mergeClaims } from '../core/claims.ts'
import { isSameAccount } from '../core/integration.ts'
import type { CodeRequest, CodeVerdict, Microsoft, Pause, RefreshRequest, Verdict } from '../core/microsoft-port.ts'
import type { Clock, Random } from '../core/ports.ts'
import { isGuid } from './answer.ts'
import type { Answer, TokenResponse } from './answer.ts'
import { judgeAuthorizePage } from './authorize-page.ts'
import { adminConsentUrl, authorizeUrl } from './authorize-url.ts'
import type { BreakerMode, BreakerState, BreakerEvidence } from './breaker.ts'
import { judgeAdminConsent, judgeCallback } from './callback.ts'
import { cloudOf, cloudOfHost, issuerOrigin } from './clouds.ts'
import type { Credential } from './credential.ts'
import { createDispatcher, EXCHANGE_TIMEOUT_MS, send } from './exchange.ts'
import type { FederatedTokenState } from './federated-token.ts'
import { keyIdOf, readIdToken, verifyIdToken } from './id-token.ts'
import type { IdTokenProblem, IdTokenResult, IdTokenRules } from './id-token.ts'
import { createMetadataSource } from './metadata.ts'
import type { Metadata } from './metadata.ts'
import type { OrganisationFaults } from './organisation-faults.ts'
import { createRegistrations } from './registrations.ts'
import type { Registration, RegistrationConfig } from './registrations.ts'
import { canonicalScopes, missingScopes, requestedScope, scopesToRefresh } from './scopes.ts'
import type { CredentialCheck } from './token-endpoint.ts'
import { isAboutOrganisation, judgeCode, judgeRefresh } from './verdict.ts'
import type { Judgement } from './verdict.ts'

/** Client capability: this client handles claims challenges. MSAL declares it in this form. */
const CP1 = JSON.stringify({ access_token: { xms_cc: { values: ['cp1'] } } })

export interface MicrosoftOptions {
  /** `https://login.microsoftonline.com` or another cloud's (docs/microsoft.md#clouds). */
  loginUrl: string
  /** `organizations`, `common`, `consumers`, a GUID or a domain. */
  tenant: string
  /** Tenant ids; empty: any. */
  allowedTenants: readonly string[]
  clientId: string
  /** Exactly as registered (docs/microsoft.md#redirect-uris). */
  redirectUri: string
  /** Newest first, at least one. */
  credentials: readonly Credential[]
  /** Earlier registrations. Their integrations are refreshed with their own credentials; nobody connects with them. */
  previousClients?: readonly RegistrationConfig[]
  /** Names of core/microsoft-permissions.ts: what a connect asks for. */
  permissions: readonly string[]
  /** Declares the client capability cp1 (docs/microsoft.md#claims-challenges). Default: off. */
  continuousAccessEvaluation?: boolean
  clock: Clock
  random: Random
  /** URL of a proxy on the way to Microsoft. */
  proxy?: string
  /** Connections to Microsoft; absent: our own, ended by `close`. */
  dispatcher?: Dispatcher
  /** A signal that aborts after so many milliseconds; absent: a timer's. */
  deadline?: (ms: number) => AbortSignal
  /** For the log: one call for each change of a registration's breaker. */
  onBreakerChange?: (state: BreakerState, from: BreakerMode, clientId: string) => void
  /** For the log: the file of the federated token became bad or good again. */
  onFederatedToken?: (state: FederatedTokenState) => void
  /** For the log: which check an id token failed. */
  onIdTokenProblem?: (problem: IdTokenProblem, requestId: string) => void
}

export interface RegistrationState {
  clientId: string
  state: BreakerState
}

/** The port, and what doctor, readyz and metrics need besides. */
export interface MicrosoftClient extends Microsoft {
  /** Of the current registration. */
  breaker(): BreakerState
  /** Of every registration, the current one first. */
  breakers(): [RegistrationState, ...RegistrationState[]]
  /** Refreshes at Microsoft now, and those that wait for their turn. */
  refreshesNow(): { sent: number; waiting: number }
  /** Where users and codes are sent; to compare with `metadata()`. */
  endpoints: { authorize: string; token: string }
  /**
   * Always fetches discovery and keys. Undefined: Microsoft gave none, or they name another origin than the configured
   * one.
   */
  metadata(): Promise<Metadata | undefined>
  /**
   * Tries each credential of a known registration, newest first, without touching anybody's integration. Default: the
   * current registration.
   */
  probeCredentials(clientId?: string): Promise<CredentialCheck[]>
  /** Uses other credentials from the next exchange on; newest first, at least one. */
  useCredentials(credentials: readonly Credential[]): void
  /** Uses other earlier registrations from the next exchange on. One that stays keeps its breaker. */
  usePreviousClients(clients: readonly RegistrationConfig[]): void
  /** Reads the file of the federated token. Undefined: the credential is another one. Never rejects. */
  federatedToken(): Promise<FederatedTokenState | undefined>
  close(): Promise<void>
}

/** Throws only where a credential's PEM cannot be read. */
export function createMicrosoft(options: MicrosoftOptions): MicrosoftClient {
  const { tenant, clientId, redirectUri, permissions, clock, random } = options
  const loginUrl = options.loginUrl.replace(/\/+$/, '')
  const dispatcher = options.dispatcher ?? createDispatcher(options.proxy)
  const deadline = options.deadline ?? ((ms) => AbortSignal.timeout(ms))
  const tokenUrl = (segment: string): string => `${loginUrl}/${segment}/oauth2/v2.0/token`
  const endpoints = { authorize: `${loginUrl}/${tenant}/oauth2/v2.0/authorize`, token: tokenUrl(tenant) }

  const registrations = createRegistrations(options, { dispatcher, deadline, clock, random })
  const fetchOne = (url: string) => send(dispatcher, { url, signal: deadline(EXCHANGE_TIMEOUT_MS) })
  const metadata = createMetadataSource({ loginUrl, tenant, clock, fetchOne })

  /** `claims` of a request: a challenge, and what we declare. The same in authorize and token requests. */
  const claimsOf = (challenge: string | undefined): { claims?: string } => {
    const claims = mergeClaims(challenge, options.continuousAccessEvaluation ? CP1 : undefined)
    return claims === undefined ? {} : { claims }
  }

  const rules = (issuer: string, ofClient: string): IdTokenRules => ({
    issuer,
    clientId: ofClient,
    tenant,
    allowedTenants: options.allowedTenants,
    now: clock.now(),
  })

  /** A tenant or an application that is not there: the organisation's trouble, or ours if several say so. */
  const judgeOnPath = (
    answer: Answer,
    tenantId: string | undefined,
    faults: OrganisationFaults,
  ): Judgement<Verdict> => {
    if (tenantId === undefined || tenantId === tenant.toLowerCase())
      return judgeRefresh(answer, clock.now(), 'configuration')
    const judged = judgeRefresh(answer, clock.now(), 'organisation')
    if (judged.kind === 'answer') faults.succeeded()
    else if (isAboutOrganisation(judged.microsoft) && faults.report(tenantId))
      return judgeRefresh(answer, clock.now(), 'everybody')
    return judged
  }

  const sendRefresh = async (
    { clientId: ofClient, tokenEndpoint, faults }: Registration,
    request: RefreshRequest,
    tenantId: string | undefined,
  ): Promise<Verdict> => {
    const { refreshToken, account, requestId } = request
    const asked = scopesToRefresh(request.scopes, permissions)
    const form = {
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
      scope: requestedScope(asked),
      ...claimsOf(request.claims),
    }
    const judge = (answer: Answer) => judgeOnPath(answer, tenantId, faults)
    const { judged, beganAt } = await tokenEndpoint.exchange(tokenUrl(tenantId ?? tenant), form, requestId, judge)
    if (judged.kind !== 'answer') return judged

    const { answer } = judged
    const named =
      answer.idToken === undefined
        ? undefined
        : readIdToken(answer.idToken, rules(`${issuerOrigin(loginUrl)}/{tenantid}/v2.0`, ofClient))
    if (named && 'problem' in named) {
      options.onIdTokenProblem?.(named.problem, requestId)
      return isAboutAccount(named.problem)
        ? { kind: 'reconnect', reason: named.problem, final: false, microsoft: {} }
        : { kind: 'try_later', reason: 'identity_unproven', microsoft: {} }
    }
    // Somebody else's tokens are never stored; nor is the user marked for an answer that should not exist.
    if (named && account && !isSameAccount(named.account, account)) {
      options.onIdTokenProblem?.('object', requestId)
      return { kind: 'try_later', reason: 'identity_unproven', microsoft: {} }
    }
    const scopes = canonicalScopes(answer.scope ?? asked)
    return { kind: 'tokens', tokens: { ...tokenSet(answer, scopes, clock.elapsed() - beganAt), ...named } }
  }

  const redeem = async (request: CodeRequest): Promise<CodeVerdict> => {
    const registration = registrations.find(request.clientId)
    // A code belongs to its registration. Nothing is sent: the user connects again, with the current one.
    if (registration === undefined) return { kind: 'refused', reason: 'code_rejected', microsoft: {} }
    const { clientId: ofClient, tokenEndpoint, breaker } = registration
    // Before the code is spent: without keys the answer could not be checked.
    if (!(await metadata.get())) return { kind: 'try_later', reason: 'microsoft_unreachable', microsoft: {} }
    const form = {
      grant_type: 'authorization_code',
      code: request.code,
      redirect_uri: redirectUri,
      code_verifier: request.codeVerifier,
      scope: requestedScope(permissions),
      ...claimsOf(request.claims),
    }
    const judge = (answer: Answer) => judgeCode(answer, clock.now())
    const { judged, beganAt, resent } = await tokenEndpoint.exchange(endpoints.token, form, request.requestId, judge)
    // The first sending spent the code after all, and its answer was lost: nothing the user did.
    if (resent && judged.kind === 'refused' && judged.reason === 'code_rejected')
      return { kind: 'try_later', reason: 'microsoft_unreachable', microsoft: judged.microsoft }
    if (judged.kind !== 'answer') return judged

    const { answer } = judged
    const refused = (reason: Reason): CodeVerdict => ({ kind: 'refused', reason, microsoft: {} })
    const named = await prove(answer.idToken, request.nonce, ofClient)
    if ('problem' in named) {
      options.onIdTokenProblem?.(named.problem, request.requestId)
      return refused(isAboutAccount(named.problem) ? named.problem : 'identity_unproven')
    }
    breaker.sawTenant(named.account.tenantId)
    const scopes = canonicalScopes(answer.scope ?? permissions)
    if (missingScopes(scopes, permissions).length > 0) return refused('missing_scopes')
    if (answer.refreshToken === undefined) return refused('no_refresh_token')
    const tokens = tokenSet(answer, scopes, clock.elapsed() - beganAt)
    return {
      kind: 'tokens',
      tokens: { ...tokens, refreshToken: answer.refreshToken, ...named, clientId: ofClient.toLowerCase() },
    }
  }

  /** Values that nobody keeps: the answer is never used for a sign-in. */
  const authorizePage = async (requestId: string) => {
    const url = authorizeUrl(
      endpoints.authorize,
      { clientId, redirectUri, scope: requestedScope(permissions) },
      {
        state: random.bytes(32).toString('base64url'),
        nonce: random.bytes(32).toString('base64url'),
        codeChallenge: random.bytes(32).toString('base64url'),
        prompt: 'none',
        requestId,
      },
    )
    const sent = await send(dispatcher, { url, accept: 'text/html', signal: deadline(EXCHANGE_TIMEOUT_MS) })
    if ('failed' in sent) return { fault: sent.failed }
    return judgeAuthorizePage(sent.answer, { endpoint: endpoints.authorize, redirectUri })
  }

  const prove = async (idToken: string | undefined, nonce: string, ofClient: string): Promise<IdTokenResult> => {
    if (idToken === undefined) return { problem: 'missing' }
    const known = await metadata.withKey(keyIdOf(idToken) ?? '')
    return known
      ? verifyIdToken(idToken, { ...rules(known.issuer, ofClient), nonce }, known.keys)
      : { problem: 'unknown_key' }
  }

  return {
    authorizeUrl: ({ claims, ...request }) =>
      authorizeUrl(
        endpoints.authorize,
        { clientId, redirectUri, scope: requestedScope(permissions) },
        { ...request, ...claimsOf(claims) },
      ),
    adminConsentUrl: (request) =>
      adminConsentUrl({ loginUrl, tenant }, { clientId, redirectUri, permissions }, request),
    judgeCallback,
    judgeAdminConsent,
    isOtherCloud(host) {
      const theirs = cloudOfHost(host)
      return theirs !== undefined && theirs !== cloudOf(loginUrl)
    },
    clientIds: () => [clientId, ...registrations.previous().map((registration) => registration.clientId)],
    admit: (ofClient) => registrations.find(ofClient)?.breaker.admit() ?? UNKNOWN_REGISTRATION,
    isFree(ofClient) {
      const breaker = registrations.find(ofClient)?.breaker
      return breaker?.state().mode === 'closed' && breaker.use().waiting === 0
    },
    async refresh(request, permit) {
      const registration = registrations.find(request.clientId)
      // Taken out of the configuration since `admit`. Others may still wait for their turn there.
      if (registration === undefined) {
        permit.release()
        return { kind: 'misconfigured', reason: UNKNOWN_REGISTRATION.reason, everybody: true, microsoft: {} }
      }
      const { breaker } = registration
      const stored = request.account?.tenantId.toLowerCase()
      const tenantId = stored !== undefined && isGuid(stored) ? stored : undefined
      if (tenantId !== undefined) breaker.sawTenant(tenantId)
      let outcome: BreakerEvidence = { kind: 'neutral' }
      try {
        const verdict = await sendRefresh(registration, request, tenantId)
        outcome = evidence(verdict, request.refreshToken, tenantId)
        return verdict
      } finally {
        breaker.record(permit, outcome)
        // Of an earlier breaker, if the registration was taken out and put back; else it is recorded already.
        permit.release()
      }
    },
    authorizePage,
    redeem,
    breaker: () => registrations.current.breaker.state(),
    breakers: () => [stateOf(registrations.current), ...registrations.previous().map(stateOf)],
    refreshesNow: () => {
      const uses = [registrations.current, ...registrations.previous()].map(({ breaker }) => breaker.use())
      const sum = (which: 'sent' | 'waiting') => uses.reduce((total, use) => total + use[which], 0)
      return { sent: sum('sent'), waiting: sum('waiting') }
    },
    endpoints,
    metadata: () => metadata.fetch(),
    probeCredentials: async (ofClient) => registrations.find(ofClient)?.tokenEndpoint.probe(endpoints.token) ?? [],
    useCredentials: (credentials) => registrations.current.useCredentials(credentials),
    usePreviousClients: (clients) => registrations.usePrevious(clients),
    federatedToken: () => registrations.current.federatedToken(),
    async close() {
      if (!options.dispatcher) await dispatcher.close()
    },
  }
}

const stateOf = ({ clientId, breaker }: Registration): RegistrationState => ({ clientId, state: breaker.state() })

/** Nothing is sent for a registration that is not configured, and nobody is marked: ops must add it. */
const UNKNOWN_REGISTRATION: Pause = { verdict: 'misconfigured', reason: 'registration_unknown', retryAfterSeconds: 30 }

function tokenSet(answer: TokenResponse, scopes: string[], elapsedMs: number) {
  const { accessToken, refreshToken, expiresIn, refreshIn } = answer
  return {
    accessToken,
    expiresInSeconds: expiresIn,
    elapsedMs,
    scopes,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(refreshIn !== undefined && { refreshInSeconds: refreshIn }),
  }
}

function isAboutAccount(problem: IdTokenProblem): problem is 'account_type_not_allowed' | 'tenant_not_allowed' {
  return problem === 'account_type_not_allowed' || problem === 'tenant_not_allowed'
}

/** What a refresh's verdict says about Microsoft and about us, rather than about this user. */
function evidence(verdict: Verdict, refreshToken: string, tenant: string | undefined): BreakerEvidence {
  switch (verdict.kind) {
    case 'tokens':
    case 'reconnect':
      return { kind: 'healthy' }
    case 'misconfigured':
      return { kind: verdict.everybody ? 'credential' : 'neutral' }
    case 'try_later': {
      const { reason, retryAfterSeconds } = verdict
      if (reason === 'loop_detected' || reason === 'identity_unproven') return { kind: 'neutral' }
      // Stable while the row fails, and says nothing about the token.
      const row = createHash('sha256').update(refreshToken).digest('base64url').slice(0, 16)
      return {
        kind: 'trouble',
        reason,
        row,
        ...(tenant !== undefined && { tenant }),
        ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      }
    }
  }
}
