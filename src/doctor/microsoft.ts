import { X509Certificate } from 'node:crypto'
import { readError, readObject } from '../microsoft/answer.ts'
import { cloudOf } from '../microsoft/clouds.ts'
import { createDispatcher, EXCHANGE_TIMEOUT_MS, send } from '../microsoft/exchange.ts'
import type { CredentialCheck } from '../microsoft/token-endpoint.ts'
import { isFromMicrosoft } from '../microsoft/verdict.ts'
import type { Services } from '../services.ts'
import { combined, EXPIRES_SOON_MS, failed, formatTime, ok, runCheck, skipped, warning, type Finding } from './check.ts'
import { federatedToken, ownFederatedToken } from './federated-token.ts'
import { FILTER_ADVICE, unclear } from './unclear-answer.ts'

export const MICROSOFT_CHECKS = ['microsoft', 'clock', 'client_credential'] as const
export type MicrosoftFindings = Record<(typeof MICROSOFT_CHECKS)[number], Finding>
type Metadata = NonNullable<Awaited<ReturnType<Services['microsoft']['metadata']>>>

/**
 * The `Date` of an answer is in whole seconds and a little old. The signatures of callers tolerate 5 s
 * (docs/security.md#signatures).
 */
const MAX_CLOCK_DIFFERENCE_MS = 6_000

export async function microsoftChecks({ microsoft, config, clock }: Services): Promise<MicrosoftFindings> {
  const metadata = await microsoft.metadata()
  if (metadata === undefined) {
    const why = skipped("Microsoft's sign-in service returned no metadata.")
    return {
      microsoft: await runCheck('microsoft', () => noMetadata(config.microsoft)),
      clock: why,
      client_credential: await runCheck('client_credential', async () =>
        combined([...ownCertificate(config.microsoft, clock.now()), ...(await ownFederatedToken(microsoft)), why]),
      ),
    }
  }
  return {
    microsoft: await runCheck('microsoft', () => compareEndpoints(metadata, microsoft.endpoints, config.microsoft)),
    clock: await runCheck('clock', () => compareClocks(metadata.clockOffsetMs)),
    client_credential: await runCheck('client_credential', async () =>
      combined([
        credentials(await microsoft.probeCredentials(), clock.now()),
        ...(await Promise.all(
          config.microsoft.previousClients.map(async ({ clientId }) =>
            credentials(await microsoft.probeCredentials(clientId), clock.now(), clientId),
          ),
        )),
      ]),
    ),
  }
}

/** Asks for the metadata once more, to find the reason. */
async function noMetadata({ loginUrl, tenant, proxy }: Services['config']['microsoft']): Promise<Finding> {
  const url = `${loginUrl}/${tenant}/v2.0/.well-known/openid-configuration`
  const dispatcher = createDispatcher(proxy)
  const sent = await send(dispatcher, { url, signal: AbortSignal.timeout(EXCHANGE_TIMEOUT_MS) }).finally(() =>
    dispatcher.destroy(),
  )
  if ('failed' in sent) {
    return failed(
      `${loginUrl} did not answer (${sent.failed}).`,
      'Check that this machine can reach it: DNS, egress network policies, the proxy; and check MICROSOFT_LOGIN_URL.',
    )
  }
  const { status, body } = sent.answer
  // A redirect and a page are never Microsoft's here: it answers with JSON, also where it refuses.
  if (status < 500 && readObject(body) === undefined) {
    return failed(
      `Something on the way answers in place of Microsoft: ${url} gave HTTP ${status} and no JSON.`,
      FILTER_ADVICE,
    )
  }
  if ((status === 400 || status === 404) && isFromMicrosoft(readError(sent.answer)))
    return failed(`${loginUrl} does not know the tenant "${tenant}" (HTTP ${status}).`, 'Correct MICROSOFT_TENANT.')
  return failed(
    `${url} answered with HTTP ${status} and without usable metadata.`,
    'Open this address from this machine. Perhaps a proxy answers in place of Microsoft, or MICROSOFT_LOGIN_URL names ' +
      'another service.',
  )
}

function compareEndpoints(
  { authorizationEndpoint, tokenEndpoint, graphHost }: Metadata,
  ours: { authorize: string; token: string },
  { tenant, loginUrl }: Services['config']['microsoft'],
): Finding {
  // If the tenant is configured by its domain, metadata names it by its id.
  const comparable = (url: string): string =>
    tenant.includes('.') ? url.replace(/^(https?:\/\/[^/]+)\/[^/]+/, '$1') : url.toLowerCase()
  const differing = (
    [
      [authorizationEndpoint, ours.authorize],
      [tokenEndpoint, ours.token],
    ] as const
  ).filter(([theirs, own]) => comparable(theirs) !== comparable(own))
  if (differing.length === 0) {
    const { name, graphUrl } = cloudOf(loginUrl)
    const { host } = new URL(graphUrl)
    if (graphHost !== undefined && graphHost !== host)
      return warning(
        `Microsoft names ${graphHost} as Graph of this tenant; the page for administrators asks for permissions of ${host}.`,
        'If administrators cannot approve there, they grant admin consent under API permissions of the app registration.',
      )
    return ok(`Metadata was read. Users are sent to ${ours.authorize}. Cloud: ${name}, with ${host}.`)
  }
  return failed(
    differing.map(([theirs, own]) => `Microsoft names ${theirs}, the broker uses ${own}.`).join('\n'),
    'Check MICROSOFT_LOGIN_URL and MICROSOFT_TENANT. If both are right, Microsoft has moved its endpoints and the broker ' +
      'needs a new release.',
  )
}

function compareClocks(offsetMs: number | undefined): Finding {
  if (offsetMs === undefined) return skipped("Microsoft's answer had no Date.")
  const seconds = Math.round(Math.abs(offsetMs) / 1000)
  if (Math.abs(offsetMs) <= MAX_CLOCK_DIFFERENCE_MS) return ok("The clock of this machine agrees with Microsoft's.")
  return failed(
    `The clock of this machine is ${seconds} s ${offsetMs > 0 ? 'behind' : 'ahead of'} Microsoft's.`,
    'Synchronise it with NTP. From 5 s on, callers are refused with clock_skew. From 5 minutes on, Microsoft refuses client ' +
      'certificates.',
  )
}

/** What to do, by AADSTS number: docs/microsoft.md#aadsts-codes. */
const CREDENTIAL_ADVICE: Readonly<Record<number, string>> = {
  7000215:
    'The secret is wrong. Copy the column "Value", not "Secret ID", or make a new secret under Certificates & secrets in ' +
    'the Azure portal.',
  7000222:
    'The secret has expired. Make a new one under Certificates & secrets in the Azure portal, and put it first in ' +
    'MICROSOFT_CLIENT_SECRET.',
  700027:
    'The certificate is not registered, or the private key does not belong to it. Upload the certificate under ' +
    'Certificates & secrets in the Azure portal.',
  7000214:
    'The certificate has been revoked. Make a new one, upload it under Certificates & secrets in the Azure portal, and ' +
    'put it first in MICROSOFT_CLIENT_CERTIFICATE.',
  700028:
    'The thumbprint of the certificate is not registered. Upload this certificate under Certificates & secrets in the ' +
    'Azure portal.',
  700030:
    'The subject name of the certificate is not registered. Upload this certificate under Certificates & secrets in the ' +
    'Azure portal, or correct the trusted subject names of the application.',
  700021: 'The client assertion names another application. Check MICROSOFT_CLIENT_ID.',
  700023: 'The client assertion is for another endpoint. Check MICROSOFT_LOGIN_URL and MICROSOFT_TENANT.',
  50027:
    'The client assertion could not be verified. Check that MICROSOFT_CLIENT_KEY belongs to MICROSOFT_CLIENT_CERTIFICATE.',
  700024: 'The client assertion was not yet valid, or had expired. Correct the clock of this machine (NTP).',
  700016: 'The tenant has no such application. Check MICROSOFT_CLIENT_ID and MICROSOFT_TENANT.',
  90002: 'The tenant does not exist. Check MICROSOFT_TENANT.',
}
/** 70021 and the longer codes that begin with it: docs/microsoft.md#client-credentials. */
const FEDERATED_CODE = /^70021[1-3]?$|^70021[1-3]\d$|^7002381$/
const FEDERATED_ADVICE =
  'No federated credential of the application fits the assertion. Compare issuer, subject and audience under ' +
  'Certificates & secrets, Federated credentials, in the Azure portal. A new one takes some minutes until it works.'
const NEW_CERTIFICATE =
  'Make a new certificate, upload it in the Azure portal, and put it first in MICROSOFT_CLIENT_CERTIFICATE.'
const OTHER_ADVICE = 'Check MICROSOFT_CLIENT_ID and the credential under Certificates & secrets in the Azure portal.'

/** `ofClient`: an earlier registration, whose users are the only ones concerned. */
function credentials(checked: readonly CredentialCheck[], now: number, ofClient?: string): Finding {
  const of = ofClient === undefined ? '' : ` of ${ofClient} (MICROSOFT_PREVIOUS_CLIENTS)`
  const lost = ofClient === undefined ? 'no token can be refreshed' : 'no token of its integrations can be refreshed'
  const anyAccepted = checked.some(({ result }) => result === 'accepted')
  return combined(
    checked.map((check, index) => {
      const { kind, expiresAt, result, reason, microsoft } = check
      const { aadsts } = microsoft
      if (check.federatedToken !== undefined) {
        const finding = federatedToken(check, check.federatedToken)
        return ofClient === undefined ? finding : { ...finding, message: `${ofClient}: ${finding.message}` }
      }
      const name = `${kind === 'secret' ? 'Client secret' : 'Certificate'} ${index + 1} of ${checked.length}${of}`
      const lowered = name.replace(/^C/, 'c')
      const code = aadsts === undefined ? '' : ` (AADSTS${aadsts})`
      if (result === 'accepted') return acceptedUntil(`Microsoft accepts ${lowered}`, expiresAt, now)
      const end = expiresAt === undefined ? Infinity : Date.parse(expiresAt)
      const advice =
        end <= now
          ? `It expired ${formatTime(end)}. ${NEW_CERTIFICATE}`
          : (CREDENTIAL_ADVICE[aadsts ?? 0] ?? (FEDERATED_CODE.test(String(aadsts)) ? FEDERATED_ADVICE : OTHER_ADVICE))
      // During a rotation, one that is not accepted yet, or not any more, causes no failure.
      if (anyAccepted)
        return warning(`${name} is not accepted${code}.`, `${advice} If it is the old credential, remove it.`)
      if (result === 'refused') return failed(`Microsoft refuses ${lowered}${code}: ${lost}.`, advice)
      return unclear(name, reason, aadsts, advice)
    }),
  )
}

/** Only the Azure portal knows when a secret expires. */
function acceptedUntil(message: string, expiresAt: string | undefined, now: number): Finding {
  if (expiresAt === undefined) return ok(`${message}.`, 'Note when it expires: only the Azure portal shows it.')
  const end = Date.parse(expiresAt)
  const text = `${message}; it ${end <= now ? 'expired' : 'expires'} ${formatTime(end)}.`
  return end - now > EXPIRES_SOON_MS ? ok(text) : warning(text, NEW_CERTIFICATE)
}

/** When the first certificate expires is known without Microsoft. Older ones may have expired: that is no problem. */
function ownCertificate({ credentials: list }: Services['config']['microsoft'], now: number): Finding[] {
  const [first] = list
  if (first?.kind !== 'certificate') return []
  const end = new X509Certificate(first.certificate).validToDate.getTime()
  if (end - now > EXPIRES_SOON_MS) return []
  return [
    end <= now
      ? failed(`Certificate 1 of ${list.length} expired ${formatTime(end)}.`, NEW_CERTIFICATE)
      : warning(`Certificate 1 of ${list.length} expires ${formatTime(end)}.`, NEW_CERTIFICATE),
  ]
}
