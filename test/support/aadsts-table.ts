import { REASONS, type Reason } from '../../src/core/failure.ts'
import { AADSTS, FAMILIES, type AadstsRow } from '../../src/microsoft/aadsts.ts'

// The tables of docs/reference/aadsts-codes.md, made from the rows of src/microsoft/aadsts.ts alone. documents.ts
// includes them.

const LIST = 'https://learn.microsoft.com/entra/identity-platform/reference-error-codes'
const LOOKUP = 'https://login.microsoftonline.com/error?code='

/** What a row and a family have in common. */
type Judgement = Pick<AadstsRow, 'error' | 'reason' | 'final' | 'everybody' | 'organisation' | 'onCode'>

const ORGANISATION = {
  always: 'concerns one organisation',
  stored_tenant: 'concerns one organisation, on the path of a stored tenant',
} as const

export function aadstsTables(): string {
  const rows = AADSTS.toSorted((a, b) => a.code - b.code).map(
    (row) => `| ${row.code} | ${judgement(row)} | ${sourceOf(row)} | ${row.certainty} |`,
  )
  const families = FAMILIES.map((family) => `| ${patternOf(family.codes)} | ${judgement(family)} |`)
  return [
    '## Codes',
    '',
    '| code | beside `error` | reason | who acts | notes | source | certainty |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    `[list]: ${LIST}`,
    '',
    '## Families',
    '',
    'Microsoft numbers a refinement of a code by adding digits, or next to related codes. A code that is not listed',
    'above is judged by the first pattern (a regular expression) that matches, else by `error` and `suberror`.',
    '',
    '| codes | beside `error` | reason | who acts | notes |',
    '|---|---|---|---|---|',
    ...families,
  ].join('\n')
}

/** The cells that a row and a family have in common. */
function judgement({ error, reason, final, everybody, organisation, onCode }: Judgement): string {
  const notes = [
    final && 'the refresh token is dead',
    everybody && 'concerns every user',
    organisation && ORGANISATION[organisation],
    onCode && `for an authorization code or in a callback: ${named(onCode)}`,
  ].filter((note) => note !== undefined)
  return [error === undefined ? 'any' : `\`${error}\``, `\`${reason}\``, whoActs(reason), notes.join('; ')].join(' | ')
}

const whoActs = (reason: Reason): string => `\`${REASONS[reason].whoActs}\``
const named = (reason: Reason): string => `\`${reason}\` (${whoActs(reason)})`
/** A `|` inside of a cell would end it. */
const patternOf = ({ source }: RegExp): string => `\`${source.replaceAll('|', '\\|')}\``

function sourceOf({ code, source }: AadstsRow): string {
  if (source === 'reference') return '[list]'
  if (source === 'lookup') return `[lookup](${LOOKUP}${code})`
  return source === 'reports' ? 'several reports' : `[report](${source})`
}
