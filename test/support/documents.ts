import { readFileSync } from 'node:fs'
import { commandsTable } from '../../src/cli.ts'
import { configurationTable } from '../../src/config.ts'
import { FAILURE_CODES, REASONS } from '../../src/core/failure.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import { workedCall } from '../../src/http/signing-guide.ts'
import { dependenciesTable } from './dependencies.ts'
import { limitsTable } from './limits.ts'

// What the README repeats of the code, between `<!-- name:begin -->` and `<!-- name:end -->`. write-documents.ts writes
// it, a test compares.

export const README = new URL('../../README.md', import.meta.url)

/** What the role that serves needs, and no more; test/db/role.test.ts runs a broker with it. */
const DATABASE_ROLE = `create role token_broker login password '<password>';
-- What a replica has given up on, Postgres gives up on too: otherwise a lock held elsewhere gathers its abandoned queries.
alter role token_broker set statement_timeout = '10s';
alter role token_broker set idle_in_transaction_session_timeout = '30s';
grant usage on schema public, drizzle to token_broker;
grant select on all tables in schema drizzle to token_broker;
grant select, insert, update, delete on all tables in schema public to token_broker;
grant usage on all sequences in schema public to token_broker;
alter default privileges in schema public grant select, insert, update, delete on tables to token_broker;
alter default privileges in schema public grant usage on sequences to token_broker;`

const PARTS: Record<string, () => string> = {
  commands: commandsTable,
  configuration: configurationTable,
  limits: limitsTable,
  'database-role': () =>
    `As the owner (who needs \`createrole\` for the first line), once, after the first \`migrate\`, with a generated password in place of \`<password>\`:\n\n\`\`\`sql\n${DATABASE_ROLE}\n\`\`\``,
  'signed-call': workedCall,
  failures: failuresTables,
  dependencies: dependenciesTable,
}
export const PART_NAMES = Object.keys(PARTS)

/** The README as the code has it. Throws when a marker is missing. */
export function writtenAnew(readme: string = readFileSync(README, 'utf8')): string {
  return Object.entries(PARTS).reduce((text, [name, part]) => {
    const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`]
    const [from, to] = [text.indexOf(begin), text.indexOf(end)]
    if (from < 0 || to < from) throw new Error(`README.md lacks ${begin} … ${end}`)
    return `${text.slice(0, from + begin.length)}\n${part()}\n${text.slice(to)}`
  }, readme)
}

function failuresTables(): string {
  const codes = FAILURE_CODES.map(
    (code) => `| \`${code}\` | ${PROBLEMS[code].status} | ${PROBLEMS[code].title} | ${PROBLEMS[code].meaning} |`,
  )
  const reasons = Object.entries(REASONS).map(
    ([reason, { whoActs, advice }]) => `| \`${reason}\` | ${whoActs} | ${advice} |`,
  )
  return [
    '| code | status | what it means | what to do |',
    '|---|---|---|---|',
    ...codes,
    '',
    '`reason` says why. `who_acts` says who has to do something before it works again; `nobody`: it heals by itself.',
    '',
    '| reason | who acts | advice |',
    '|---|---|---|',
    ...reasons,
  ].join('\n')
}
