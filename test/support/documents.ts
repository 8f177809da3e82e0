import { readFileSync } from 'node:fs'
import { commandsTable } from '../../src/cli/commands.ts'
import { configurationTable } from '../../src/config.ts'
import { CALLER_PERMISSIONS } from '../../src/core/caller-permissions.ts'
import { FAILURE_CODES, REASONS } from '../../src/core/failure.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import { workedCall } from '../../src/http/signing-guide.ts'
import { DEFAULT_SCOPES, PERMISSIONS } from '../../src/core/microsoft-permissions.ts'
import { texts } from '../../src/texts/texts.ts'
import { DOCUMENTED_ROLE, grantStatements, ROLE_STATEMENTS } from '../../src/db/serving-role.ts'
import { createMetrics } from '../../src/telemetry.ts'
import { aadstsTables } from './aadsts-table.ts'
import { dependenciesTable } from './dependencies.ts'
import { limitsTable } from './limits.ts'
import { NO_SOURCES } from './metric-sources.ts'

// The documents of docs/reference/, which are generated from the code. write-documents.ts writes them, and
// documents.test.ts compares them.

/** Rights of the role that serves, and no others; test/db/role.test.ts runs a broker with exactly these statements. */
const sqlBlock = (statements: readonly string[]): string =>
  ['```sql', ...statements.map((statement) => `${statement};`), '```'].join('\n')

interface ReferenceDocument {
  title: string
  /** One or two sentences before the generated part. */
  about: string
  /** Where to change what the document says. */
  source: string
  body(): string
}

const DOCUMENTS: Record<string, ReferenceDocument> = {
  'docs/reference/commands.md': {
    title: 'Commands',
    about:
      'Run a command with `node dist/cli.js <command>` after `npm run build`, or with `npm run token-broker -- <command>` from the source.',
    source: '`src/cli.ts` and `src/cli/`',
    body: commandsTable,
  },
  'docs/reference/configuration.md': {
    title: 'Configuration',
    about:
      'Configuration comes from environment variables. Every variable may be given as a file instead: `NAME_FILE` with a path. All problems are listed at once, and the process ends before it listens. Lists have the newest entry first.',
    source: '`src/config/variables.ts`',
    body: configurationTable,
  },
  'docs/reference/limits.md': {
    title: 'Limits',
    about: 'Sizes, rates and times that limit requests, stored data and waiting, and what happens beyond each limit.',
    source: '`test/support/limits.ts`, which reads the constants that are in force',
    body: limitsTable,
  },
  'docs/reference/database-role.md': {
    title: 'Rights of the database role',
    about:
      'The role of `DATABASE_URL` has rights on rows, and no others. Make it before the first `migrate`, as a role that may (`createrole`), with a generated password in place of `<password>`. The two limits end in Postgres what a replica no longer waits for; otherwise a lock held elsewhere collects its abandoned queries.',
    source: '`src/db/serving-role.ts`',
    body: () =>
      [
        sqlBlock(ROLE_STATEMENTS),
        '`migrate` gives the role its rights, each time it runs, if `DATABASE_SERVING_ROLE` (`migrations.servingRole` of the chart) names it. Otherwise run these statements once, after the first `migrate`, as the owner of the database:',
        sqlBlock(grantStatements(DOCUMENTED_ROLE)),
      ].join('\n\n'),
  },
  'docs/reference/signed-call.md': {
    title: 'A signed call, byte by byte',
    about:
      'One request with its signature base, and one signed answer. The rules are in the OpenAPI document ([openapi/openapi.json](../../openapi/openapi.json)), which has more examples. The keys are published here: never use them.',
    source: '`src/http/signing-guide.ts`',
    body: workedCall,
  },
  'docs/reference/failures.md': {
    title: 'Failures and reasons',
    about:
      'Failures are problem details (RFC 9457) with a `code` from the first list. Treat a code that you do not know by its HTTP status, and a reason that you do not know by its `who_acts`.',
    source: '`src/core/failure.ts` and `src/http/problem.ts`',
    body: failuresTables,
  },
  'docs/reference/aadsts-codes.md': {
    title: 'AADSTS codes',
    about:
      'What each AADSTS code of Microsoft means for a refresh. [microsoft.md](../microsoft.md#aadsts-codes) explains how codes are used and what source and certainty say; [failures.md](failures.md) lists the reasons.',
    source: '`src/microsoft/aadsts.ts`',
    body: aadstsTables,
  },
  'docs/reference/permissions.md': {
    title: 'Permissions',
    about:
      'Two lists that must not be confused: what a *caller* may ask of the broker, and what *MEGDocs* may do at Microsoft Graph for a user.',
    source:
      '`src/core/caller-permissions.ts` and `src/core/microsoft-permissions.ts` (Microsoft Graph), words from `src/texts/en.ts`',
    body: permissionsTables,
  },
  'docs/reference/metrics.md': {
    title: 'Metrics',
    about:
      'What `GET /metrics` of the operations listener shows, beside the process metrics of prom-client. No metric has a user id, an account or an address of a person in a label.',
    source: '`src/telemetry/metrics.ts`',
    body: metricsTable,
  },
  'docs/reference/dependencies.md': {
    title: 'Dependencies',
    about: 'Every package has a reason. A test fails for a package without one.',
    source: '`test/support/dependencies.ts`',
    body: dependenciesTable,
  },
}

const ROOT = new URL('../../', import.meta.url)

/** Paths from the root of the repository. */
export const REFERENCE_PATHS = Object.keys(DOCUMENTS)

/** The file of a reference document. */
export const referenceFile = (path: string): URL => new URL(path, ROOT)

/** A reference document as it is stored. Throws when the file is missing. */
export const storedReference = (path: string): string => readFileSync(referenceFile(path), 'utf8')

/** A reference document as the code has it now. Throws RangeError for an unknown path. */
export function generatedReference(path: string): string {
  const document = DOCUMENTS[path]
  if (document === undefined) throw new RangeError(`no reference document ${path}`)
  const { title, about, source, body } = document
  return [
    `# ${title}`,
    '',
    `_Generated by \`npm run documents\` from ${source}. Do not edit this file._`,
    '',
    about,
    '',
    body(),
    '',
  ].join('\n')
}

function failuresTables(): string {
  const codes = FAILURE_CODES.map(
    (code) => `| \`${code}\` | ${PROBLEMS[code].status} | ${PROBLEMS[code].title} | ${PROBLEMS[code].meaning} |`,
  )
  const reasons = Object.entries(REASONS).map(
    ([reason, { whoActs, advice }]) => `| \`${reason}\` | ${whoActs} | ${advice} |`,
  )
  return [
    '## Codes',
    '',
    '| code | status | what it means | what to do |',
    '|---|---|---|---|',
    ...codes,
    '',
    '## Reasons',
    '',
    '`reason` says why. `who_acts` says who must do something before it works again. `nobody`: the broker recovers without help.',
    '',
    '| reason | who acts | advice |',
    '|---|---|---|',
    ...reasons,
  ].join('\n')
}

function permissionsTables(): string {
  return [
    '## Of callers',
    '',
    'Each caller has a list of these in the callers file. Each operation of the OpenAPI document names the one that it needs.',
    '',
    ...CALLER_PERMISSIONS.map((permission) => `* \`${permission}\``),
    '',
    '## At Microsoft Graph',
    '',
    'Delegated permissions that `MICROSOFT_PERMISSIONS` may name, with the words that users see. Another one is refused at',
    'the start. Users may approve: whether they can do it without an administrator under the policy that Microsoft manages,',
    'the default of new organisations, in the version of 2026-01-22 ([source](../microsoft.md#consent-policies)). Each',
    'organisation may have a stricter policy.',
    '',
    '| permission | words | by default | users may approve |',
    '|---|---|---|---|',
    ...PERMISSIONS.map(
      ({ scope, usersMayApprove }) =>
        `| \`${scope}\` | ${texts.en.permission.words[scope]} | ${DEFAULT_SCOPES.includes(scope) ? 'yes' : ''} | ${usersMayApprove ? 'yes' : 'no'} |`,
    ),
  ].join('\n')
}

function metricsTable(): string {
  const { registry } = createMetrics(NO_SOURCES)
  const rows = registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('token_broker_'))
    .map((metric) => {
      const { name, help, type } = metric as typeof metric & { type: string }
      const { labelNames = [] } = registry.getSingleMetric(name) as { labelNames?: readonly string[] }
      return `| \`${name}\` | ${type} | ${labelNames.map((label) => `\`${label}\``).join(', ')} | ${help} |`
    })
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows.sort()].join('\n')
}
