import type { Sql } from 'postgres'
import type { Entra } from './entra/main.ts'
import type { SandboxControls } from './megdocs/application.ts'

// The controls below MEGDocs' pages. They change the simulated Microsoft and the rows of the sandbox's database, never
// the broker process.

const LIST = [
  {
    action: 'expire',
    label: 'Let the access token expire',
    explanation: 'For the next document, the broker refreshes it.',
  },
  {
    action: 'reject',
    label: 'Let Graph reject the access token',
    explanation: 'The token has not expired, so MEGDocs asks the broker for a later one.',
  },
  {
    action: 'down',
    label: 'Microsoft is down',
    explanation: 'Its token endpoint answers 503. Valid tokens continue to work.',
  },
  {
    action: 'revoke',
    label: 'Revoke access',
    explanation: 'As after a password reset: the next refresh fails and the user must reconnect.',
  },
  {
    action: 'disable',
    label: 'Disable the account',
    explanation: 'As an administrator of the organisation does: Graph refuses its tokens at once.',
  },
  {
    action: 'enable',
    label: 'Enable the account',
    explanation: 'The next document works again, after the waiting time of the broker.',
  },
  {
    action: 'heal',
    label: 'Heal Microsoft',
    explanation: 'Microsoft answers again. The broker tries again when its own waiting time has ended.',
  },
] as const

/** `sql`: the broker's database. It is needed to let tokens expire, because their expiry is stored there. */
export function createControls(entra: Entra, sql: Sql): SandboxControls {
  async function accountOf(userId: string): Promise<string | undefined> {
    const [row] = await sql`select username from oauth2_integration where user_id = ${userId}`
    return row?.['username'] ? String(row['username']) : undefined
  }

  const actions: Record<(typeof LIST)[number]['action'], (userId: string) => Promise<string>> = {
    async expire(userId) {
      await sql`update oauth2_integration set access_token_expires_at = now() - interval '1 second'
        where user_id = ${userId}`
      entra.control.expireAccessTokens()
      return 'The access token has expired.'
    },
    async reject() {
      entra.control.expireAccessTokens()
      return 'Simulated Graph rejects every access token issued so far.'
    },
    async down() {
      entra.control.misbehave('status', 503)
      return 'Simulated Microsoft answers 503 to every token request.'
    },
    async revoke(userId) {
      const account = await accountOf(userId)
      if (account === undefined) return 'There is nothing to revoke: no Microsoft account is connected.'
      entra.control.revokeSessions({ account })
      return `Access of ${account} was revoked at simulated Microsoft. The next document shows it.`
    },
    async disable(userId) {
      const account = await accountOf(userId)
      if (account === undefined) return 'There is nothing to disable: no Microsoft account is connected.'
      entra.control.disableUser({ account })
      return `${account} is disabled at simulated Microsoft. The next document shows it.`
    },
    async enable(userId) {
      const account = await accountOf(userId)
      if (account === undefined) return 'There is nothing to enable: no Microsoft account is connected.'
      entra.control.enableUser({ account })
      return `${account} is enabled at simulated Microsoft.`
    },
    async heal() {
      entra.control.behave()
      return 'Simulated Microsoft works again.'
    },
  }
  return {
    list: LIST,
    run: async (action, userId) =>
      action in actions ? actions[action as keyof typeof actions](userId) : 'There is no such control.',
  }
}
