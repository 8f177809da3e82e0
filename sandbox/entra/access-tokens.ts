/**
 * Access tokens for Graph. For work accounts they look like Entra's (a JWT whose signature a client cannot check), for
 * personal accounts like Microsoft's opaque ones. Both carry what the simulated Graph needs, sealed or marked with the
 * seed's key.
 */
import { randomUUID } from 'node:crypto'
import type { Account } from './accounts.ts'
import { isPersonal } from './accounts.ts'
import { USUAL_ADDRESS } from './policies.ts'
import { graphAppId } from './scopes.ts'
import type { World } from './world.ts'

export interface AccessToken {
  objectId: string
  scopes: string[]
  /** Milliseconds. */
  issuedAt: number
  expiresAt: number
  /** Sessions of the account revoked, and access tokens declared expired, when it was issued. */
  epoch: number
  accessTokenEpoch: number
  /** The client said that it understands claims challenges (`xms_cc=cp1`). */
  cp1: boolean
  /** Issued although Graph sees another place than the policy allows: the place no longer counts. */
  anywhere: boolean
}

type Facts = Pick<AccessToken, 'scopes' | 'cp1' | 'anywhere'> & { lifetime: number }

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const filler =
  'AWQAm/8ZSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATEDSIMULATED'

/** Lifetime in seconds. About 2.2 kB for work accounts, 1.2 kB for personal ones. */
export function issueAccessToken(world: World, account: Account, { scopes, cp1, anywhere, lifetime }: Facts): string {
  const now = world.clock.now()
  const inside: AccessToken = {
    objectId: account.objectId,
    scopes,
    issuedAt: now,
    expiresAt: now + lifetime * 1000,
    cp1,
    anywhere,
    epoch: world.revocations.epoch(account),
    accessTokenEpoch: world.revocations.accessTokenEpoch(),
  }
  if (isPersonal(account)) {
    // Bytes that come out as "EwB…" in base64.
    return Buffer.concat([Buffer.from([0x13, 0x00, 0x40]), world.sealer.seal('access token', inside, 860)]).toString(
      'base64',
    )
  }
  const seconds = Math.floor(now / 1000)
  const kid = 'SIMULATED-000000000000000000'
  const header = { typ: 'JWT', nonce: randomUUID().replaceAll('-', ''), alg: 'RS256', x5t: kid, kid }
  const payload = {
    aud: graphAppId,
    iss: `https://sts.windows.net/${account.tenantId}/`,
    iat: seconds - 300,
    nbf: seconds - 300,
    exp: seconds + lifetime + 1,
    acct: 0,
    acr: '1',
    acrs: ['p1', 'urn:user:registersecurityinfo'],
    aio: filler,
    amr: ['pwd', 'mfa'],
    app_displayname: world.app.name,
    appid: world.app.clientId,
    appidacr: '1',
    family_name: account.surname,
    given_name: account.givenName,
    idtyp: 'user',
    ipaddr: world.policies.network(account)?.signInSees ?? USUAL_ADDRESS,
    name: account.displayName,
    oid: account.objectId,
    platf: '14',
    puid: '100320000SIMULATED',
    rh: filler.slice(0, 60),
    scp: [...scopes, 'openid', 'profile', 'email'].join(' '),
    sid: randomUUID(),
    signin_state: ['kmsi'],
    sub: filler.slice(0, 43),
    tenant_region_scope: 'EU',
    tid: account.tenantId,
    unique_name: account.username,
    upn: account.username,
    uti: randomUUID().slice(0, 22),
    ver: '1.0',
    wids: ['b79fbf4d-3ef9-4689-8143-76b194e85509'],
    ...(cp1 && { xms_cc: ['cp1'] }),
    xms_ftd: filler,
    xms_idrel: '1 10',
    xms_simulated: {
      issuedAt: inside.issuedAt,
      expiresAt: inside.expiresAt,
      scopes,
      epoch: inside.epoch,
      accessTokenEpoch: inside.accessTokenEpoch,
      anywhere,
    },
  }
  const text = `${encode(header)}.${encode(payload)}`
  return `${text}.${world.sealer.mark(text).toString('base64url')}`
}

/** undefined: not a token of this simulator. Expiry is not judged here. */
export function readAccessToken(world: World, token: string): AccessToken | undefined {
  const dot = token.lastIndexOf('.')
  if (dot < 0) {
    const bytes = Buffer.from(token, 'base64')
    return world.sealer.open('access token', bytes.subarray(3)) as AccessToken | undefined
  }
  const text = token.slice(0, dot)
  if (!world.sealer.marked(text, Buffer.from(token.slice(dot + 1), 'base64url'))) return undefined
  const payload = JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString()) as {
    oid: string
    xms_cc?: string[]
    xms_simulated: Omit<AccessToken, 'objectId' | 'cp1'>
  }
  return { ...payload.xms_simulated, objectId: payload.oid, cp1: payload.xms_cc !== undefined }
}
