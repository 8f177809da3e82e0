import { USER_ID } from '../core/user-id.ts'
import { recordCommand } from '../db/audit-entries.ts'
import { exportUser, usersOfTenant } from '../db/people.ts'
import { Misuse, type Command } from './command.ts'
import { withServices } from './with-services.ts'

// For the end of a contract, and for a person who asks what is stored about them.

/** Users of one page. Each is disconnected in a transaction of its own: an interruption loses none. */
const PAGE_USERS = 500
const PROGRESS_MS = 2_000
const TENANT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export const disconnectCommand: Command = {
  name: 'disconnect',
  summary:
    'Disconnects every user of an organisation, as `DELETE /integrations/:userId` does, with an event for each. Without `--apply` ' +
    'it only counts. It may be interrupted and repeated. Imported users whose organisation is not known yet are not found',
  usage: '--tenant <tenant id> [--apply] [--json]',
  options: { tenant: { type: 'string' }, apply: { type: 'boolean' }, json: { type: 'boolean' } },
  async run({ flags }, terminal) {
    const { tenant } = flags
    if (typeof tenant !== 'string' || !TENANT.test(tenant)) throw new Misuse('--tenant must be a tenant id (a GUID)')
    const apply = flags['apply'] === true
    return withServices(terminal, async ({ database, integrations }) => {
      let [found, disconnected, after] = [0, 0, '']
      let reportedAt = terminal.now()
      for (;;) {
        const { users, unknown } = await usersOfTenant(database, tenant.toLowerCase(), after, PAGE_USERS)
        found += users.length
        for (const userId of apply ? users : []) {
          if (!(await integrations.disconnect(userId, CALLER))) continue
          disconnected++
          await recordCommand(database, 'disconnect', { user_id: userId, tenant })
          if (terminal.now() - reportedAt < PROGRESS_MS) continue
          reportedAt = terminal.now()
          terminal.err(`${disconnected} disconnected`)
        }
        after = users.at(-1) ?? after
        if (users.length === PAGE_USERS) continue
        if (flags['json'] === true)
          terminal.out(
            JSON.stringify({ tenant, applied: apply, found, disconnected, tenant_unknown: unknown }, null, 2),
          )
        else {
          terminal.out(
            apply
              ? `Disconnected ${disconnected} of ${found} users of ${tenant}.`
              : `Dry run: ${found} users of ${tenant} would be disconnected. Use --apply to disconnect.`,
          )
          if (unknown > 0)
            terminal.out(`${unknown} imported users of organisations that are not known yet were left out.`)
        }
        return 0
      }
    })
  },
}

const CALLER = 'token-broker disconnect'

export const exportCommand: Command = {
  name: 'export',
  summary:
    'Prints all that is stored about one user as JSON, without secrets: for a person who asks what is stored about them. Lines of ' +
    'the log are kept elsewhere',
  usage: '--user <user id>',
  options: { user: { type: 'string' } },
  async run({ flags }, terminal) {
    const { user } = flags
    if (typeof user !== 'string' || !USER_ID.test(user))
      throw new Misuse('A user id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
    return withServices(terminal, async ({ database }) => {
      const tables = await exportUser(database, user)
      await recordCommand(database, 'export', { user_id: user })
      terminal.out(
        JSON.stringify({ user_id: user, exported_at: new Date(terminal.now()).toISOString(), tables }, null, 2),
      )
      return 0
    })
  },
}
