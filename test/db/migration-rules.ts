import { readFileSync } from 'node:fs'

// What a migration may do while replicas of the last release still serve on the same database: a closed list. See
// CONTRIBUTING.md#add-a-migration.

export interface Migration {
  tag: string
  sql: string
}

/** The last release and the newest migration in it; null before the first. */
export interface Released {
  release: string | null
  migration: string | null
}

const FOLDER = new URL('../../src/db/migrations/', import.meta.url)

/** Updated with each release; a test compares it with the changelog. */
export const released = (): Released =>
  JSON.parse(readFileSync(new URL('released.json', import.meta.url), 'utf8')) as Released

/** In the order in which they are applied. */
export function migrations(): Migration[] {
  const { entries } = JSON.parse(readFileSync(new URL('meta/_journal.json', FOLDER), 'utf8')) as {
    entries: { tag: string }[]
  }
  return entries.map(({ tag }) => ({ tag, sql: readFileSync(new URL(`${tag}.sql`, FOLDER), 'utf8') }))
}

const TYPE =
  '(?:smallint|integer|bigint|boolean|double precision|numeric|text|uuid|jsonb|date|timestamp with time zone|"?bytea"?)(?:\\[\\])?'
/**
 * Anything but a constant makes Postgres rewrite every row while nobody can read; now() is a constant within a
 * statement.
 */
const CONSTANT = `(?:-?\\d+(?:\\.\\d+)?|true|false|now\\(\\)|'[^']*'(?:::${TYPE})?)`
const NEW_COLUMN = new RegExp(`^${TYPE}(?: DEFAULT ${CONSTANT}(?: NOT NULL)?)?;?$`, 'i')
const CONTRACT =
  /^(?:DROP (?:TABLE|INDEX|SEQUENCE) (?:"public"\.)?"\w+"|ALTER TABLE "\w+" DROP (?:COLUMN|CONSTRAINT) "\w+")(?: CASCADE)?;?$/i

/** What the migrations after the last release do that its replicas would not survive; empty: nothing. */
export function breaches(all: readonly Migration[], { release, migration }: Released): string[] {
  const from = all.findIndex(({ tag }) => tag === migration) + 1
  /** Tables that no replica of the last release knows. */
  const fresh = new Set<string>()
  /** The values that each check lets in. */
  const checks = new Map<string, string[]>()
  const found: string[] = []
  for (const [index, { tag, sql }] of all.entries()) {
    const statements = sql
      .split('--> statement-breakpoint')
      .map((text) => ({ text: withoutRemarks(text), remark: remarkIn(text) }))
      .filter(({ text }) => text !== '')
    const dropped = new Set<string>()
    for (const { text, remark } of statements) {
      const why = index < from ? undefined : breach(text, remark, { fresh, checks, dropped, release })
      if (why !== undefined) found.push(`${tag}: ${text.split('\n')[0]!.slice(0, 120)}: ${why}`)
      for (const [, name = '', list = ''] of text.matchAll(/CONSTRAINT "(\w+)" CHECK \([^()]*? in \(([^()]*)\)/gi))
        checks.set(name, valuesIn(list))
    }
    for (const name of dropped) found.push(`${tag}: ${name} is dropped and does not come back wider`)
  }
  return found
}

interface Known {
  fresh: Set<string>
  checks: ReadonlyMap<string, string[]>
  /** Checks that this migration has dropped and must bring back. */
  dropped: Set<string>
  release: string | null
}

/** Undefined: the statement is on the list. */
function breach(text: string, remark: string, { fresh, checks, dropped, release }: Known): string | undefined {
  if (/;./s.test(text)) return 'one statement at a time: the rules read how each begins'
  const created = /^CREATE TABLE "(\w+)"/i.exec(text)?.[1]
  const known = [...text.matchAll(/\b(?:REFERENCES|INHERITS?)\b[ (]*(?:"?public"?\.)?"?(\w+)/gi)]
    .map(([, name]) => name!)
    .find((name) => name !== created && !fresh.has(name))
  if (known !== undefined) return `replicas of the last release would be refused what they do with ${known}`
  if (created !== undefined) return void fresh.add(created)
  if (/^CREATE SEQUENCE /i.test(text) || /^ALTER TYPE \S+ ADD VALUE /i.test(text)) return undefined
  const table =
    /^(?:ALTER TABLE "(\w+)" |DROP TABLE "(\w+)"(?: CASCADE)?;?$)/i
      .exec(text)
      ?.slice(1)
      .find((name) => name !== undefined) ?? /^CREATE (?:UNIQUE )?INDEX "\w+" ON "(\w+)"/i.exec(text)?.[1]
  if (table !== undefined && fresh.has(table)) return undefined

  const unused = /contract: unused since (\d+\.\d+\.\d+)/.exec(remark)?.[1]
  if (unused !== undefined && CONTRACT.test(text)) {
    return release !== null && !isLater(unused, release)
      ? undefined
      : `the last release, ${release ?? 'none yet'}, may still use it`
  }
  if (/^CREATE UNIQUE INDEX/i.test(text)) return 'replicas of the last release may write what is not unique'
  if (/^CREATE INDEX/i.test(text))
    return /locks writes: \S/.test(remark)
      ? undefined
      : 'say in a remark "-- locks writes: …" how long, and why that is short'

  const added = /^ALTER TABLE "\w+" ADD COLUMN "\w+" (.*)/is.exec(text)?.[1]
  if (added !== undefined) {
    return NEW_COLUMN.test(added)
      ? undefined
      : 'a new column may be null or have a constant default, because the last release writes rows without it, and nothing else'
  }
  const gone = /^ALTER TABLE "\w+" DROP CONSTRAINT "(\w+)";?$/i.exec(text)?.[1]
  if (gone !== undefined && checks.has(gone)) return void dropped.add(gone)
  const [, name = '', list] =
    /^ALTER TABLE "\w+" ADD CONSTRAINT "(\w+)" CHECK \((?:"\w+"\.)?"\w+" in \(([^()]*)\)\);?$/i.exec(text) ?? []
  if (list !== undefined && dropped.delete(name)) {
    const missing = checks.get(name)!.filter((value) => !valuesIn(list).includes(value))
    return missing.length === 0 ? undefined : `replicas of the last release write ${missing.join(', ')}`
  }
  return 'not on the list of what may be done while the last release still serves: expand now, contract one release later'
}

const withoutRemarks = (text: string): string => text.replace(/^\s*--.*$/gm, '').trim()
const remarkIn = (text: string): string => [...text.matchAll(/^\s*--(.*)$/gm)].map(([, words]) => words).join('\n')
const valuesIn = (list: string): string[] => [...list.matchAll(/'([^']*)'/g)].map(([, value]) => value!)

function isLater(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const at = a.findIndex((part, i) => part !== b[i])
  return at >= 0 && a[at]! > b[at]!
}

/** One migration with every kind of change that is allowed, on every table. */
export const NEWER: Migration = {
  tag: '9999_newer',
  sql: `CREATE TABLE "newer_table" ("id" uuid PRIMARY KEY NOT NULL);
--> statement-breakpoint
ALTER TABLE "newer_table" ADD COLUMN "kind" text NOT NULL;
--> statement-breakpoint
CREATE UNIQUE INDEX "newer_table_kind" ON "newer_table" USING btree ("kind");
--> statement-breakpoint
CREATE SEQUENCE "public"."newer_sequence";
${['oauth2_integration', 'connect_session', 'browser_session', 'event', 'request_nonce', 'deployment', 'sealing_key']
  .map(
    (table) => `--> statement-breakpoint
ALTER TABLE "${table}" ADD COLUMN "newer_nullable" text;
--> statement-breakpoint
ALTER TABLE "${table}" ADD COLUMN "newer_default" integer DEFAULT 7 NOT NULL;
`,
  )
  .join('')}--> statement-breakpoint
ALTER TABLE "oauth2_integration" DROP CONSTRAINT "oauth2_integration_status";
--> statement-breakpoint
ALTER TABLE "oauth2_integration" ADD CONSTRAINT "oauth2_integration_status" \
CHECK ("oauth2_integration"."status" in ('active', 'reconnect_required', 'newer'));
--> statement-breakpoint
-- locks writes: for a second at a million rows
CREATE INDEX "oauth2_integration_newer" ON "oauth2_integration" USING btree ("newer_nullable");`,
}
