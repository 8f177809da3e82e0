/**
 * The control surface over HTTP, on a port of its own: GET /control shows everything, POST /control/<order> with JSON
 * orders.
 */
import type { FastifyInstance } from 'fastify'
import { BadOrder } from './bad-order.ts'
import type { EntraControl } from './control.ts'
import { Refusal } from './errors.ts'

type Body = Record<string, unknown>

/** The fields an order may have (a misspelt one is refused, not ignored), and what it does. */
interface Order {
  fields: string[]
  // The control checks values itself, in one place for both ways in.
  // oxlint-disable-next-line typescript/no-explicit-any
  run(control: EntraControl, body: any): unknown
}

const orders: Record<string, Order> = {
  'sign-in': {
    fields: ['account', 'authorizeUrl', 'forOrganisation'],
    run: (control, body) => ({ callbackUrl: control.signIn(body) }),
  },
  decline: { fields: ['account', 'authorizeUrl'], run: (control, body) => ({ callbackUrl: control.decline(body) }) },
  'need-admin-approval': {
    fields: ['authorizeUrl'],
    run: (control, body) => ({ callbackUrl: control.needAdminApproval(body) }),
  },
  'refuse-sign-in': {
    fields: ['authorizeUrl', 'aadsts', 'error', 'suberror'],
    run: (control, body) => ({ callbackUrl: control.refuseSignIn(body) }),
  },
  'issue-refresh-token': {
    fields: ['account', 'scopes', 'clientId'],
    run: (control, body) => ({ refreshToken: control.issueRefreshToken(body) }),
  },
  'admin-consent': { fields: ['account', 'scopes'], run: (control, body) => control.adminConsent(body) },
  'forget-consent': { fields: ['account'], run: (control, body) => control.forgetConsent(body) },
  'revoke-sessions': { fields: ['account'], run: (control, body) => control.revokeSessions(body) },
  'disable-user': { fields: ['account'], run: (control, body) => control.disableUser(body) },
  'enable-user': { fields: ['account'], run: (control, body) => control.enableUser(body) },
  network: {
    fields: ['account', 'allowed', 'graphSees', 'signInSees', 'strict'],
    run: (control, body) => control.network(body),
  },
  misbehave: {
    fields: ['knob', 'value', 'account', 'times', 'rate'],
    run: (control, { knob, value, ...options }) => control.misbehave(knob, value, options),
  },
  behave: { fields: ['knob', 'account'], run: (control, body) => control.behave(body.knob, body.account) },
  configure: {
    fields: ['rotation', 'lifetime', 'loopAfter', 'loginHintClaim'],
    run: (control, body) => control.configure(body),
  },
  'configure-app': {
    fields: ['clientId', 'newClientId', 'redirectUris', 'clientSecrets', 'certificates', 'federatedCredentials'],
    run: (control, body) => control.configureApp(body),
  },
  'register-app': { fields: ['clientId', 'clientSecrets'], run: (control, body) => control.registerApp(body) },
  'roll-keys': { fields: ['drop'], run: (control, body) => control.rollKeys(body) },
  hold: { fields: [], run: (control) => control.hold() },
  'hold-after': { fields: [], run: (control) => control.holdAfter() },
  release: { fields: [], run: (control) => control.release() },
  held: { fields: ['count'], run: (control, body) => control.held(body.count) },
  advance: { fields: ['seconds'], run: (control, body) => control.advance(body.seconds) },
  'expire-access-tokens': { fields: [], run: (control) => control.expireAccessTokens() },
  'reset-counters': { fields: [], run: (control) => control.resetCounters() },
}

export function controlRoutes(app: FastifyInstance, control: EntraControl): void {
  const described = Object.entries(orders).map(([name, { fields }]) => ({ order: `POST /control/${name}`, fields }))
  app.get('/control', () => ({ ...control.state(), orders: described }))
  app.get('/control/token-requests', () => control.tokenRequests())
  app.post('/control/:order', async (request, reply) => {
    const name = (request.params as { order: string }).order
    const order = Object.hasOwn(orders, name) ? orders[name] : undefined
    if (!order) return reply.code(404).send({ error: `no order ${JSON.stringify(name)}`, orders: described })
    const body = (request.body ?? {}) as Body
    const stranger = Object.keys(body).find((field) => !order.fields.includes(field))
    try {
      if (stranger !== undefined) {
        throw new BadOrder(
          `${name} has no field ${JSON.stringify(stranger)}; it has ${order.fields.join(', ') || 'none'}`,
        )
      }
      return (await order.run(control, body)) ?? {}
    } catch (error) {
      if (error instanceof BadOrder) return reply.code(400).send({ error: error.message })
      if (error instanceof Refusal)
        return reply.code(400).send({ error: `${error.message}: ${error.case.text}`, aadsts: error.code })
      throw error
    }
  })
}
