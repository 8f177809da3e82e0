import type { AuditFacts } from '../core/audit.ts'
import { readCommandFacts } from '../core/audit.ts'
import type { Database } from './client.ts'
import { epochOf, isoOfEpoch } from './instants.ts'
import { sql } from './drizzle.ts'
import { auditEntries } from './schema.ts'

// Administrative commands in the audit log (docs/design.md#audit): the output of a command is not the log, so it writes
// a row, a replica writes the line, and then the row is deleted. A replica that dies in between leaves the row to
// another one; then two lines name one entry.

/** How long a replica has for the lines of the rows that it took. */
const CLAIM_SECONDS = 30
const BATCH_ROWS = 100

/** Records what a command did. `facts`: numbers, booleans and words; never a token or a secret. */
export async function recordCommand(
  database: Database,
  action: string,
  facts: NonNullable<AuditFacts['facts']>,
): Promise<void> {
  await database.run((db) => db.insert(auditEntries).values({ action, facts: readCommandFacts(facts) }))
}

/** Writes the lines of all rows that no other replica is writing. Resolves with their number. */
export async function logCommands(database: Database, write: (facts: AuditFacts) => Promise<void>): Promise<number> {
  const rows = await database.run((db) =>
    db.execute<{ id: string; at: number; action: string; facts: unknown }>(
      sql`update audit_entry set claimed_until = now() + make_interval(secs => ${CLAIM_SECONDS})
        where id in (select id from audit_entry where claimed_until is null or claimed_until < now()
          order by at limit ${BATCH_ROWS} for update skip locked)
        returning id, ${epochOf(auditEntries.at)} as at, action, facts`,
    ),
  )
  for (const { id, at, action, facts } of rows) {
    await write({
      audit: 'command',
      action: /^[\w: -]{1,100}$/.test(action) ? action : 'unknown',
      entry: id,
      at: isoOfEpoch(at),
      facts: readCommandFacts(facts),
    })
    await database.run((db) => db.execute(sql`delete from audit_entry where id = ${id}`))
  }
  return rows.length
}
