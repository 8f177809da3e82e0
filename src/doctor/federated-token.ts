import type { FederatedTokenFacts, FederatedTokenProblem, FederatedTokenState } from '../microsoft/federated-token.ts'
import type { CredentialCheck } from '../microsoft/token-endpoint.ts'
import type { Services } from '../services.ts'
import { failed, formatTime, ok, warning, type Finding } from './check.ts'
import { unclear } from './unclear-answer.ts'

// The federated token for doctor: which of its values does not fit the registration, and the values themselves. They
// are no secret; the token is one, and is not here.

type Value = 'issuer' | 'subject' | 'audience' | 'expiry' | 'signature' | 'issuer_keys'

/** By AADSTS number, the longer ones that begin with it included: docs/microsoft.md#client-credentials. */
const MISMATCHES: readonly (readonly [RegExp, Value])[] = [
  [/^700211\d?$/, 'issuer'],
  [/^700213\d?$/, 'subject'],
  [/^700212\d?$/, 'audience'],
  [/^700024$/, 'expiry'],
  [/^(?:7000272|50013|700027)$/, 'signature'],
  [/^(?:501661?|90061)$/, 'issuer_keys'],
]

const WHAT: Readonly<Record<Value, string>> = {
  issuer: 'no federated credential of the application has its issuer',
  subject: 'no federated credential of the application has its subject',
  audience: 'no federated credential of the application has its audience',
  expiry: 'it is outside of its time',
  signature: 'its issuer publishes no key that its signature fits',
  issuer_keys: 'Microsoft cannot read the keys that its issuer publishes',
}

const COMPARE =
  'Compare issuer, subject and audience with Certificates & secrets, Federated credentials, in the Azure portal. They must ' +
  'be the same character by character, case and a slash at the end included. A new credential takes some minutes until it works.'
const KEYS =
  "Open the issuer's /.well-known/openid-configuration from the internet: it must name a jwks_uri that Microsoft can read, " +
  'with the key that the cluster signs with.'
const ADVICE: Readonly<Record<Value, string>> = {
  issuer: COMPARE,
  subject: COMPARE,
  audience: COMPARE,
  expiry:
    'Correct the clock of this machine (NTP), and look at who writes the file: it must be replaced before it expires.',
  signature: KEYS,
  issuer_keys: KEYS,
}

const PROBLEMS: Readonly<Record<FederatedTokenProblem, string>> = {
  unreadable: 'cannot be read',
  too_large: 'is larger than a token',
  malformed: 'holds no whole JWT',
  expired: 'holds a token that has expired',
}
const FILE_ADVICE =
  'Look at the volume that MICROSOFT_FEDERATED_TOKEN_FILE is in: in Kubernetes a projected token of the service account, ' +
  'or the webhook of Azure workload identity, which needs the label azure.workload.identity/use on the pod.'

/** What Microsoft said to the token, and the token's own values. */
export function federatedToken({ result, reason, microsoft }: CredentialCheck, state: FederatedTokenState): Finding {
  const file = ofFile(state)
  if (state.token === undefined) return file
  const values = `Its values: ${valuesText(state.token)}.`
  const { aadsts } = microsoft
  const mismatch = MISMATCHES.find(([codes]) => codes.test(String(aadsts)))?.[1]
  const facts = { ...factsOf(state), ...(mismatch === undefined ? {} : { mismatch }) }
  if (result === 'accepted') {
    const accepted = state.problem === undefined ? ok('Microsoft accepts the federated token.') : file
    return { ...accepted, message: `${accepted.message} ${values}`, facts }
  }
  const code = aadsts === undefined ? '' : ` (AADSTS${aadsts})`
  const advice = mismatch === undefined ? COMPARE : ADVICE[mismatch]
  const refused =
    result === 'unclear' && mismatch === undefined
      ? unclear('The federated token', reason, aadsts, advice)
      : failed(
          `Microsoft refuses the federated token${code}: ` +
            `${mismatch === undefined ? 'issuer, subject or audience' : WHAT[mismatch]}` +
            `${mismatch === undefined ? ' may not match' : ''}. No token can be refreshed.`,
          advice,
        )
  return { ...refused, message: `${refused.message}\n${values}`, facts }
}

/** What is wrong with the file is known without Microsoft. */
export async function ownFederatedToken(microsoft: Pick<Services['microsoft'], 'federatedToken'>): Promise<Finding[]> {
  const state = await microsoft.federatedToken()
  if (state === undefined || state.problem === undefined) return []
  return [ofFile(state)]
}

/** What is wrong with the file. */
function ofFile(state: FederatedTokenState): Finding {
  const { problem = 'unreadable', token, expired } = state
  const values = expired === undefined ? '' : `\nIts values: ${valuesText(expired)}.`
  const what = `The file of the federated token ${PROBLEMS[problem]}`
  const finding =
    token === undefined
      ? failed(`${what}: no token can be refreshed.${values}`, FILE_ADVICE)
      : warning(`${what}. The last good token is used until it expires.${values}`, FILE_ADVICE)
  return { ...finding, facts: factsOf(state) }
}

function factsOf({ problem, expired, token = expired }: FederatedTokenState): object {
  const common = { kind: 'federated', ...(problem === undefined ? {} : { problem }) }
  if (token === undefined) return common
  const { issuer, subject, audiences, expiresAtMs, algorithm } = token
  return { ...common, issuer, subject, audiences, expires_at: new Date(expiresAtMs).toISOString(), algorithm }
}

const valuesText = ({ issuer, subject, audiences, expiresAtMs, algorithm }: FederatedTokenFacts): string =>
  [
    `issuer ${shown(issuer)}`,
    `subject ${shown(subject)}`,
    `audience ${audiences.map(shown).join(' and ')}`,
    `expires ${formatTime(expiresAtMs)}`,
    ...(algorithm === 'RS256' ? [] : [`signed with ${shown(algorithm)}, and Microsoft promises to accept RS256 only`]),
  ].join(', ')

/** Quoted, so that a space at an end is seen, and no character of it can change the terminal. */
const shown = (text: string): string =>
  JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
