import { X509Certificate } from 'node:crypto'
import { createDispatcher, EXCHANGE_TIMEOUT_MS, send } from '../microsoft/exchange.ts'
import type { CredentialCheck } from '../microsoft/token-endpoint.ts'
import type { Services } from '../services.ts'
import { failed, instant, ok, skipped, EXPIRES_SOON_MS, combined, warning, type Finding } from './check.ts'

type Findings = Record<'microsoft' | 'clock' | 'client_credential', Finding>
type Metadata = NonNullable<Awaited<ReturnType<Services['microsoft']['metadata']>>>

/** Milliseconds. The `Date` of an answer is in whole seconds and some time old; callers' signatures bear 5 s (design 3). */
const CLOCK_OFF = 6_000

export async function examineMicrosoft({ microsoft, config, clock }: Services): Promise<Findings> {
  const metadata = await microsoft.metadata()
  if (metadata === undefined) {
    const why = skipped("Microsoft's sign-in service gave no metadata")
    return {
      microsoft: await noMetadata(config.microsoft),
      clock: why,
      client_credential: combined([...certificatesAlone(config.microsoft, clock.now()), why]),
    }
  }
  return {
    microsoft: compareEndpoints(metadata, microsoft.endpoints, config.microsoft.tenant),
    clock: compareClocks(metadata.clockOffsetMs),
    client_credential: credentials(await microsoft.probeCredentials(), clock.now()),
  }
}

/** Asks once more, only to tell why. */
async function noMetadata({ loginUrl, tenant, proxy }: Services['config']['microsoft']): Promise<Finding> {
  const url = `${loginUrl}/${tenant}/v2.0/.well-known/openid-configuration`
  const dispatcher = createDispatcher(proxy)
  const sent = await send(dispatcher, { url, signal: AbortSignal.timeout(EXCHANGE_TIMEOUT_MS) }).finally(() =>
    dispatcher.destroy(),
  )
  if ('failed' in sent) {
    return failed(
      `${loginUrl} gave no answer (${sent.failed}).`,
      'Check that this machine may reach it: DNS, egress network policies, the proxy; and MICROSOFT_LOGIN_URL.',
    )
  }
  if (sent.answer.status === 400 || sent.answer.status === 404) {
    return failed(
      `${loginUrl} does not know the tenant "${tenant}" (HTTP ${sent.answer.status}).`,
      'Correct MICROSOFT_TENANT.',
    )
  }
  return failed(
    `${url} answered with HTTP ${sent.answer.status} and nothing that can be used.`,
    "Look at the address from this machine: a proxy may answer in Microsoft's place, or MICROSOFT_LOGIN_URL names another service.",
  )
}

function compareEndpoints(
  { authorizationEndpoint, tokenEndpoint }: Metadata,
  ours: { authorize: string; token: string },
  tenant: string,
): Finding {
  // A tenant given by its domain is named by its id in metadata.
  const comparable = (url: string): string =>
    tenant.includes('.') ? url.replace(/^(https?:\/\/[^/]+)\/[^/]+/, '$1') : url.toLowerCase()
  const differing = (
    [
      [authorizationEndpoint, ours.authorize],
      [tokenEndpoint, ours.token],
    ] as const
  ).filter(([theirs, own]) => comparable(theirs) !== comparable(own))
  if (differing.length === 0) return ok(`Metadata was read; users are sent to ${ours.authorize}.`)
  return failed(
    differing.map(([theirs, own]) => `Microsoft names ${theirs}, the broker uses ${own}.`).join('\n'),
    'Check MICROSOFT_LOGIN_URL and MICROSOFT_TENANT; if both are right, Microsoft has moved its endpoints and the broker needs a new release.',
  )
}

function compareClocks(offset: number | undefined): Finding {
  if (offset === undefined) return skipped("Microsoft's answer had no date")
  const seconds = Math.round(Math.abs(offset) / 1000)
  if (Math.abs(offset) <= CLOCK_OFF) return ok("This machine's clock agrees with Microsoft's.")
  return failed(
    `This machine's clock is ${seconds} s ${offset > 0 ? 'behind' : 'ahead of'} Microsoft's.`,
    "Synchronise it with NTP. Callers are refused with clock_skew from 5 s on; Microsoft refuses certificates' assertions from 5 minutes on.",
  )
}

/** By AADSTS number (entra.md 4): what ops change where. */
const CREDENTIAL_ADVICE: Record<number, string> = {
  7000215:
    'The value is wrong: copy the column "Value", not "Secret ID", or make a new secret under Certificates & secrets in the Azure portal.',
  7000222:
    'The secret has expired: make a new one under Certificates & secrets in the Azure portal and put it in front in MICROSOFT_CLIENT_SECRET.',
  700027:
    'The certificate is not registered, or the key is not its own: upload it under Certificates & secrets in the Azure portal.',
  700021: "The certificate's assertion names another application: check MICROSOFT_CLIENT_ID.",
  700023: "The certificate's assertion is not meant for this endpoint: check MICROSOFT_LOGIN_URL and MICROSOFT_TENANT.",
  50027:
    "The certificate's assertion could not be read: check that MICROSOFT_CLIENT_KEY belongs to MICROSOFT_CLIENT_CERTIFICATE.",
  700024: "The certificate's assertion was not valid yet or any more: set this machine's clock right (NTP).",
  700016: 'The tenant has no such application: check MICROSOFT_CLIENT_ID and MICROSOFT_TENANT.',
  90002: 'There is no such tenant: check MICROSOFT_TENANT.',
}
const NEW_CERTIFICATE =
  'Make a new certificate, upload it in the Azure portal, and put it in front in MICROSOFT_CLIENT_CERTIFICATE.'
const RENEW = 'Check MICROSOFT_CLIENT_ID and the credential under Certificates & secrets in the Azure portal.'

function credentials(probes: readonly CredentialCheck[], now: number): Finding {
  const one = probes.some(({ result }) => result === 'accepted')
  return combined(
    probes.map((probe, index) => {
      const { aadsts } = probe.microsoft
      const what = `${probe.kind === 'secret' ? 'Client secret' : 'Certificate'} ${index + 1} of ${probes.length}`
      const code = aadsts === undefined ? '' : ` (AADSTS${aadsts})`
      const over = probe.expiresAt !== undefined && Date.parse(probe.expiresAt) <= now
      const advice = over
        ? `It ended ${instant(Date.parse(probe.expiresAt!))}. ${NEW_CERTIFICATE}`
        : (CREDENTIAL_ADVICE[aadsts ?? 0] ?? RENEW)
      if (probe.result === 'accepted') return ending(`${what} is accepted by Microsoft`, probe.expiresAt, now)
      // During a rotation one that is not yet or no longer good harms nobody.
      if (one) return warning(`${what} is not accepted${code}.`, `${advice} If it is the old one, remove it.`)
      if (probe.result === 'refused')
        return failed(`${what} is refused by Microsoft${code}: no token can be refreshed.`, advice)
      return failed(
        `${what} could not be tried: Microsoft gave no answer that tells${code}.`,
        aadsts === undefined ? 'Try again; look at https://status.cloud.microsoft if it stays.' : advice,
      )
    }),
  )
}

/** A secret's end is known to the Azure portal alone. */
function ending(saw: string, expiresAt: string | undefined, now: number): Finding {
  if (expiresAt === undefined) return ok(`${saw}.`, 'Note when it ends: only the Azure portal tells.')
  const end = Date.parse(expiresAt)
  const text = `${saw}; it ${end <= now ? 'ended' : 'ends'} ${instant(end)}.`
  return end - now > EXPIRES_SOON_MS ? ok(text) : warning(text, NEW_CERTIFICATE)
}

/** Its own end is known without Microsoft. Only of the newest: an older one may well be over. */
function certificatesAlone({ credentials: list }: Services['config']['microsoft'], now: number): Finding[] {
  const [first] = list
  if (first?.kind !== 'certificate') return []
  const end = new X509Certificate(first.certificate).validToDate.getTime()
  if (end - now > EXPIRES_SOON_MS) return []
  return [
    end <= now
      ? failed(`Certificate 1 of ${list.length} ended ${instant(end)}.`, NEW_CERTIFICATE)
      : warning(`Certificate 1 of ${list.length} ends ${instant(end)}.`, NEW_CERTIFICATE),
  ]
}
