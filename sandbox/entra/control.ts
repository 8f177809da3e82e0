/**
 * Control over one simulator: what a test, the sandbox or a drill may order and ask. The same over HTTP in
 * control-http.ts.
 */
import { X509Certificate } from 'node:crypto'
import type { Account } from './accounts.ts'
import { readSecrets } from './application.ts'
import type { ClientSecret, FederatedCredential } from './application.ts'
import { approve, callbackUrl, decline, leaveWithoutApproval, refuse, standing, traceOf } from './approval.ts'
import { readAuthorizeRequest, ReturnedRefusal, worldOfQuery } from './authorize-request.ts'
import { BadOrder } from './bad-order.ts'
import type { AuthorizeRequest } from './authorize-request.ts'
import type { Endpoint, TokenRequestCounts } from './counters.ts'
import { Refusal } from './errors.ts'
import type { RefusalFacts } from './errors.ts'
import { knobNames } from './misbehaviour.ts'
import { USUAL_ADDRESS } from './policies.ts'
import type { Network } from './policies.ts'
import type { Knob, Knobs, Misbehaviour } from './misbehaviour.ts'
import { writeRefreshToken } from './refresh-tokens.ts'
import { registeredScopes } from './scopes.ts'
import { registerApp, worldOf } from './world.ts'
import type { Settings, World } from './world.ts'

export interface MisbehaveOptions {
  account?: string
  times?: number
  rate?: number
}

export interface AppChanges {
  /** Of a further registration; the first one if absent. */
  clientId?: string
  /** Another id: the one that clients know is gone. */
  newClientId?: string
  redirectUris?: string[]
  /** All that are valid from now on; a string never expires. */
  clientSecrets?: (string | ClientSecret)[]
  /** PEM. */
  certificates?: string[]
  federatedCredentials?: FederatedCredential[]
}

export interface ControlState {
  simulated: true
  seed: number
  /** ISO 8601, the simulator's clock. */
  now: string
  settings: Settings
  app: { clientId: string; name: string; redirectUris: string[]; clientSecrets: number; certificates: number }
  accounts: { username: string; objectId: string; tenantId: string; note: string; consented: string[] }[]
  /** Every knob with its settings; none means good behaviour. */
  knobs: Record<Knob, Misbehaviour[]>
  gates: { before: { closed: boolean; waiting: number }; after: { closed: boolean; waiting: number }; hanging: number }
  tokenRequests: number
  otherRequests: Record<Endpoint, number>
}

/**
 * Accounts are named by username or object id. Bad arguments throw BadOrder, or the Refusal Microsoft's page would
 * show.
 */
export interface EntraControl {
  state(): ControlState
  /** Signs in and approves; the callback URL. Throws when this account would not get that far. */
  signIn(order: { account: string; authorizeUrl: string; forOrganisation?: boolean }): string
  /** Presses Cancel on the consent page; the callback URL (a bare access_denied for work accounts). */
  decline(order: { account?: string; authorizeUrl: string }): string
  /** Returns from "Need admin approval"; the callback URL (access_denied, cancel, AADSTS65004). */
  needAdminApproval(order: { authorizeUrl: string }): string
  /** The callback URL with any AADSTS error, in another spelling if wished. */
  refuseSignIn(order: { authorizeUrl: string; aadsts: number; error?: string; suberror?: string }): string
  /** A refresh token without a browser: for imports and benchmarks. Counts as consented. */
  issueRefreshToken(order: { account: string; scopes?: string[]; clientId?: string }): string
  /** An administrator approves for the organisation of this account. */
  adminConsent(order: { account: string; scopes?: string[] }): void
  /** Withdraws consent of one account, or of all and of all organisations. */
  forgetConsent(order?: { account?: string }): void
  /** tokensValidFrom = now: refresh tokens issued before fail with AADSTS50173. */
  revokeSessions(order: { account: string }): void
  /** An administrator disables the account, or enables it again. */
  disableUser(order: { account: string }): void
  enableUser(order: { account: string }): void
  /**
   * A Conditional Access policy for places, and from where both sides see the account. Without `allowed` the policy is
   * gone. Defaults: the usual address everywhere, not strict.
   */
  network(order: { account: string } & Partial<Network>): void
  misbehave<K extends Knob>(knob: K, value: Knobs[K], options?: MisbehaveOptions): void
  /** Ends misbehaviour: of one knob, for one account ('*' the setting for everybody), or altogether. */
  behave(knob?: Knob, account?: string): void
  configure(changes: Partial<Settings>): void
  configureApp(changes: AppChanges): void
  /** A further registration, with the redirect URIs of the first. Consent to one is none to another. */
  registerApp(order: { clientId: string; clientSecrets: (string | ClientSecret)[] }): void
  /** New signing keys; the old ones stay published unless `drop`. */
  rollKeys(options?: { drop?: boolean }): void
  /** From now on token requests wait after being counted, before anything is decided. */
  hold(): void
  /** From now on token requests wait after the answer was made (tokens rotated, code spent), before it is sent. */
  holdAfter(): void
  /** Opens both gates; hanging requests are cut. */
  release(): void
  /** Resolves when at least this many token requests (default 1) wait at one of the gates. */
  held(count?: number): Promise<void>
  /** Moves the simulator's clock. */
  advance(seconds: number): void
  /** Graph refuses every access token issued so far. */
  expireAccessTokens(): void
  tokenRequests(): TokenRequestCounts
  otherRequests(): Record<Endpoint, number>
  resetCounters(): void
}

export function createControl(world: World): EntraControl {
  const { board, gates, counters, clock, settings, consents } = world

  function account(name: string): Account {
    const found = typeof name === 'string' ? world.directory.find(name) : undefined
    if (!found) throw new BadOrder(`no account ${JSON.stringify(name)}`)
    return found
  }

  function ofApp(clientId: string | undefined): World {
    const own = clientId === undefined ? world : worldOf(world, clientId)
    if (!own) throw new BadOrder(`no application ${JSON.stringify(clientId)}`)
    return own
  }

  const ofUrl = (authorizeUrl: string): World => worldOfQuery(world, URL.parse(authorizeUrl)?.search.slice(1) ?? '')

  function read(authorizeUrl: string): AuthorizeRequest {
    const url = URL.parse(authorizeUrl)
    const segment = url && /^\/([^/]+)\/oauth2\/v2\.0\/authorize$/.exec(url.pathname)?.[1]
    if (!url || !segment) throw new BadOrder('authorizeUrl is not an address of the authorize endpoint')
    try {
      return readAuthorizeRequest(ofUrl(authorizeUrl), segment, url.search.slice(1))
    } catch (error) {
      throw error instanceof ReturnedRefusal ? error.refusal : error
    }
  }

  return {
    state: () => readState(world),
    signIn({ account: name, authorizeUrl, forOrganisation = false }) {
      const request = read(authorizeUrl)
      const who = account(name)
      const own = ofUrl(authorizeUrl)
      const found = standing(own, request, who)
      if (found.kind === 'stopped') throw found.refusal
      if (found.kind === 'needs_admin') throw new Refusal(90094)
      if (forOrganisation && !who.admin) throw new BadOrder(`${who.username} is no administrator`)
      return callbackUrl(approve(own, request, who, { forOrganisation }))
    },
    decline: ({ account: name, authorizeUrl }) =>
      callbackUrl(decline(read(authorizeUrl), name === undefined ? undefined : account(name))),
    needAdminApproval: ({ authorizeUrl }) =>
      callbackUrl(leaveWithoutApproval(world, read(authorizeUrl), traceOf(world))),
    refuseSignIn({ authorizeUrl, aadsts, error, suberror }) {
      const facts: RefusalFacts = { ...(error !== undefined && { error }), ...(suberror !== undefined && { suberror }) }
      return callbackUrl(refuse(world, read(authorizeUrl), new Refusal(aadsts, facts), traceOf(world)))
    },
    issueRefreshToken({ account: name, scopes = registeredScopes, clientId }) {
      const who = account(name)
      const own = ofApp(clientId)
      own.consents.record(who, scopes)
      return writeRefreshToken(world.sealer, who, {
        clientId: own.app.clientId,
        issuedAt: clock.now(),
        scopes,
        openid: true,
        epoch: world.revocations.epoch(who),
      })
    },
    adminConsent: ({ account: name, scopes = registeredScopes }) =>
      consents.recordForOrganisation(account(name).tenantId, scopes),
    forgetConsent: ({ account: name } = {}) =>
      name === undefined ? consents.forgetAll() : consents.forget(account(name)),
    revokeSessions: ({ account: name }) => world.revocations.revoke(account(name), clock.now()),
    disableUser: ({ account: name }) => world.policies.disable(account(name), clock.now()),
    enableUser: ({ account: name }) => world.policies.enable(account(name)),
    network({ account: name, allowed, graphSees = USUAL_ADDRESS, signInSees = USUAL_ADDRESS, strict = false }) {
      if (allowed !== undefined && !(Array.isArray(allowed) && allowed.every((one) => typeof one === 'string')))
        throw new BadOrder('allowed: expected a list of addresses')
      world.policies.setNetwork(account(name), allowed && { allowed, graphSees, signInSees, strict })
    },
    misbehave(knob, value, options = {}) {
      if (options.account !== undefined) account(options.account)
      board.set({ knob, value, ...options })
    },
    behave: (knob, name) => board.clear(knob, name),
    configure(changes) {
      checkSettings(changes)
      Object.assign(settings, changes)
    },
    configureApp({ clientId, newClientId, redirectUris, clientSecrets, certificates, federatedCredentials }) {
      const { app } = ofApp(clientId)
      for (const pem of certificates ?? []) if (!isCertificate(pem)) throw new BadOrder('certificates: expected PEM')
      if (newClientId) app.clientId = newClientId
      if (redirectUris) app.redirectUris = [...redirectUris]
      if (clientSecrets) app.secrets = readSecrets(clientSecrets)
      if (certificates) app.certificates = [...certificates]
      if (federatedCredentials) app.federatedCredentials = [...federatedCredentials]
    },
    registerApp({ clientId, clientSecrets }) {
      if (worldOf(world, clientId)) throw new BadOrder('clientId: is registered')
      const { name, redirectUris } = world.app
      const secrets = readSecrets(clientSecrets)
      registerApp(world, {
        clientId,
        name,
        redirectUris: [...redirectUris],
        secrets,
        certificates: [],
        federatedCredentials: [],
      })
    },
    rollKeys: ({ drop = false } = {}) => world.keys.roll({ drop }),
    hold: () => gates.before.close(),
    holdAfter: () => gates.after.close(),
    release() {
      gates.before.open()
      gates.after.open()
      gates.hang.open()
      gates.hang.close()
    },
    held: (count = 1) => Promise.race([gates.before.reached(count), gates.after.reached(count)]),
    advance(seconds) {
      if (!Number.isFinite(seconds)) throw new BadOrder('seconds: expected a number')
      clock.advance(seconds)
    },
    expireAccessTokens: () => world.revocations.expireAccessTokens(),
    tokenRequests: () => counters.tokenRequests(),
    otherRequests: () => counters.others(),
    resetCounters: () => counters.reset(),
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).publicKey.asymmetricKeyType === 'rsa'
  } catch {
    return false
  }
}

function checkSettings({ rotation, lifetime, loopAfter, loginHintClaim, ...unknown }: Partial<Settings>): void {
  const [stranger] = Object.keys(unknown)
  if (stranger !== undefined)
    throw new BadOrder(
      `no setting ${JSON.stringify(stranger)}; there are rotation, lifetime, loopAfter, loginHintClaim`,
    )
  if (rotation !== undefined && !['entra', 'strict', 'none_returned'].includes(rotation)) {
    throw new BadOrder('rotation: expected entra, strict or none_returned')
  }
  if (lifetime !== undefined && lifetime !== null && !(Number.isInteger(lifetime) && lifetime > 0)) {
    throw new BadOrder('lifetime: expected seconds, or null for Entra’s own random choice')
  }
  if (loopAfter !== undefined && !(Number.isInteger(loopAfter) && loopAfter >= 0)) {
    throw new BadOrder('loopAfter: expected a whole number')
  }
  if (loginHintClaim !== undefined && typeof loginHintClaim !== 'boolean')
    throw new BadOrder('loginHintClaim: expected true or false')
}

function readState(world: World): ControlState {
  const { app, gates, board } = world
  const all = board.list()
  const knobs = Object.fromEntries(
    knobNames.map((name) => [name, all.filter((entry) => entry.knob === name)]),
  ) as ControlState['knobs']
  return {
    simulated: true,
    seed: world.seed,
    now: new Date(world.clock.now()).toISOString(),
    settings: { ...world.settings },
    app: {
      clientId: app.clientId,
      name: app.name,
      redirectUris: app.redirectUris,
      clientSecrets: app.secrets.length,
      certificates: app.certificates.length,
    },
    accounts: world.directory.accounts.slice(0, 50).map((account) => ({
      username: account.username,
      objectId: account.objectId,
      tenantId: account.tenantId,
      note: account.note,
      consented: [...world.consents.of(account)],
    })),
    knobs,
    gates: {
      before: { closed: gates.before.isClosed(), waiting: gates.before.waiting() },
      after: { closed: gates.after.isClosed(), waiting: gates.after.waiting() },
      hanging: gates.hang.waiting(),
    },
    tokenRequests: world.counters.tokenRequests().total,
    otherRequests: world.counters.others(),
  }
}
