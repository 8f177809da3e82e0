// Rights of the role that serves: on rows, and no others (docs/reference/database-role.md).

/** The role that the document names. */
export const DOCUMENTED_ROLE = 'token_broker'

/**
 * What a role may do once it exists. Postgres ends what a replica no longer waits for; otherwise a lock held elsewhere
 * collects its abandoned queries. For the owner, who needs `createrole`.
 */
export const ROLE_STATEMENTS = [
  `create role ${DOCUMENTED_ROLE} login password '<password>'`,
  `alter role ${DOCUMENTED_ROLE} set statement_timeout = '10s'`,
  `alter role ${DOCUMENTED_ROLE} set idle_in_transaction_session_timeout = '30s'`,
] as const

/**
 * The statements that give a role its rights on what is there, and on what later migrations of the same owner add. May
 * be repeated. `role`: as it stands in DATABASE_URL.
 */
export function grantStatements(role: string): string[] {
  const to = /^[a-z_][a-z0-9_]*$/.test(role) ? role : `"${role.replaceAll('"', '""')}"`
  return [
    `grant usage on schema public, drizzle to ${to}`,
    `grant select on all tables in schema drizzle to ${to}`,
    `grant select, insert, update, delete on all tables in schema public to ${to}`,
    `grant usage, update on all sequences in schema public to ${to}`,
    `alter default privileges in schema public grant select, insert, update, delete on tables to ${to}`,
    `alter default privileges in schema public grant usage, update on sequences to ${to}`,
  ]
}
