import type { Config } from '../config.ts'
import { findPermission } from '../core/microsoft-permissions.ts'
import { countsByRegistration, countsByScopes } from '../db/diagnostics-registrations.ts'
import type { Services } from '../services.ts'
import { combined, failed, ok, warning, type Finding } from './check.ts'

// Which app registration the integrations belong to, and which permissions they were granted.

export type RegistrationKind = 'current' | 'previous' | 'unknown'

/** Null: the database does not record one yet, so that it is the current one. */
export function registrationOf(
  clientId: string | null,
  { clientId: current, previousClients }: Config['microsoft'],
): RegistrationKind {
  if (clientId === null || clientId === current) return 'current'
  return previousClients.some((client) => client.clientId === clientId) ? 'previous' : 'unknown'
}

const integrations = (count: number): string => `${count} ${count === 1 ? 'integration' : 'integrations'}`
const MOVE = 'See docs/runbooks.md#move-to-another-registration.'

/** How many integrations belong to which app registration. */
export async function registrations({ database, config: { microsoft } }: Services): Promise<Finding> {
  const counts = await countsByRegistration(database)
  const countOf = (clientId: string) =>
    counts
      .filter((group) => (group.clientId ?? microsoft.clientId) === clientId)
      .reduce((sum, { count }) => sum + count, 0)
  const unknown = counts.filter(({ clientId }) => registrationOf(clientId, microsoft) === 'unknown')
  return combined([
    ok(`${integrations(countOf(microsoft.clientId))} of the current registration ${microsoft.clientId}.`),
    ...microsoft.previousClients.map(({ clientId }) => {
      const count = countOf(clientId)
      const message = `${integrations(count)} of ${clientId}, of MICROSOFT_PREVIOUS_CLIENTS.`
      return count > 0
        ? ok(message, `Keep the credentials of ${clientId} valid until its users have connected again.`)
        : ok(message, `If the move is over, take ${clientId} out of MICROSOFT_PREVIOUS_CLIENTS. ${MOVE}`)
    }),
    ...unknown.map(({ clientId, count }) =>
      failed(
        `${integrations(count)} of ${clientId}, which is not configured: they cannot be refreshed.`,
        `Add ${clientId} with a credential to MICROSOFT_PREVIOUS_CLIENTS. Nobody has to connect again. ${MOVE}`,
      ),
    ),
  ])
}

/** What is asked for, who may approve it, and how many users were granted something else. */
export async function permissions({ database, compareScopes, config }: Services): Promise<Finding> {
  const configured = config.microsoft.permissions
  const adminOnly = configured.filter((scope) => findPermission(scope)?.usersMayApprove === false)
  const counts = (await countsByScopes(database)).map(({ scopes, count }) => ({ ...compareScopes(scopes), count }))
  const sum = (which: 'missing' | 'excess') =>
    counts.reduce((total, group) => total + (group[which].length > 0 ? group.count : 0), 0)
  const [lacking, exceeding] = [sum('missing'), sum('excess')]
  return combined([
    ok(
      `A connect asks for ${configured.join(', ')}. Under Microsoft's policy for new tenants ` +
        (adminOnly.length === 0
          ? 'users may approve all of it themselves.'
          : `an administrator must approve ${adminOnly.join(' and ')}.`),
      'Compare them with API permissions of the app registration in the Azure portal.',
    ),
    ...(lacking === 0
      ? []
      : [
          warning(
            `${integrations(lacking)} with fewer permissions: the tokens work, and missing_scopes names what is missing.`,
            'These users connect again to approve the rest.',
          ),
        ]),
    ...(exceeding === 0
      ? []
      : [ok(`${integrations(exceeding)} with more permissions. These end when consent is withdrawn at Microsoft.`)]),
  ])
}
