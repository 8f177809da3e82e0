import { readFileSync } from 'node:fs'
import t from 'tap'
import { breaches, migrations, NEWER, released, type Released } from './migration-rules.ts'

// Old and new replicas run side by side during a rollout, and after a rollback: so a migration may only add what the
// last release does not notice. That it does not is run for real in test/flow/newer-schema.test.ts and in
// drills/upgrade.ts.

const ALL = migrations()
const NEWEST = ALL.at(-1)!.tag
const RELEASED: Released = { release: '1.4.0', migration: NEWEST }
const after = (sql: string, last: Released = RELEASED) => breaches([...ALL, { tag: '9999_next', sql }], last)

t.test('every migration since the last release leaves its replicas alone', async (t) => {
  t.strictSame(breaches(ALL, released()), [])
})

t.test('released.json names the last release of the changelog, and a migration that exists', async (t) => {
  const [, newest = null] =
    /^## v?(\d+\.\d+\.\d+)/m.exec(readFileSync(new URL('../../CHANGELOG.md', import.meta.url), 'utf8')) ?? []
  const { release, migration } = released()
  t.equal(release, newest, 'write the release and its newest migration into test/db/released.json')
  t.ok(migration === null ? release === null : ALL.some(({ tag }) => tag === migration))
})

t.test('what adds is allowed', async (t) => {
  t.strictSame(breaches([...ALL, NEWER], RELEASED), [])
  const allowed = [
    'ALTER TABLE "event" ADD COLUMN "a" timestamp with time zone DEFAULT now() NOT NULL;',
    'ALTER TABLE "event" ADD COLUMN "a" text[] DEFAULT \'{}\' NOT NULL;',
    'ALTER TABLE "event" ADD COLUMN "a" jsonb DEFAULT \'{}\'::jsonb;',
    'ALTER TABLE "event" ADD COLUMN "a" "bytea"',
    'CREATE TABLE "a" ("id" uuid PRIMARY KEY, "b" uuid REFERENCES "a"("id"));--> statement-breakpoint CREATE TABLE "c" ("a" uuid REFERENCES "a"("id"));' +
      '--> statement-breakpoint ALTER TABLE "c" ADD CONSTRAINT "d" FOREIGN KEY ("a") REFERENCES "public"."a"("id");',
    'ALTER TYPE "public"."kind" ADD VALUE \'more\';',
    '-- contract: unused since 1.4.0\nALTER TABLE "event" DROP COLUMN "detail";',
    '-- contract: unused since 1.3.9\nDROP TABLE "request_nonce";',
  ]
  for (const sql of allowed) t.strictSame(after(sql), [], sql)
  t.strictSame(
    breaches(
      [
        { tag: '0000_first', sql: 'CREATE TABLE "a" ("b" text);' },
        { tag: '0001_second', sql: 'ALTER TABLE "a" DROP COLUMN "b";' },
      ],
      { release: null, migration: null },
    ),
    [],
    "what no release has is nobody's",
  )
})

t.test('what the last release would notice is refused', async (t) => {
  const refused: Record<string, RegExp> = {
    'ALTER TABLE "event" DROP COLUMN "detail";': /not on the list/,
    'ALTER TABLE "event" RENAME COLUMN "detail" TO "details";': /not on the list/,
    'ALTER TABLE "event" ALTER COLUMN "detail" SET DATA TYPE text;': /not on the list/,
    'ALTER TABLE "event" ALTER COLUMN "detail" DROP NOT NULL;': /not on the list/,
    'ALTER TABLE "oauth2_integration" ALTER COLUMN "username" SET NOT NULL;': /not on the list/,
    'DROP TABLE "event";': /not on the list/,
    'UPDATE "event" SET "type" = \'x\';': /not on the list/,
    'ALTER TABLE "event" ADD COLUMN "a" text NOT NULL;': /constant default/,
    'ALTER TABLE "event" ADD COLUMN "a" uuid DEFAULT gen_random_uuid() NOT NULL;': /constant default/,
    'ALTER TABLE "event" ADD COLUMN "a" timestamp with time zone DEFAULT statement_timestamp() NOT NULL;':
      /constant default/,
    'ALTER TABLE "event" ADD COLUMN "a" bigserial;': /nothing else/,
    'ALTER TABLE "event" ADD COLUMN "a" text UNIQUE;': /nothing else/,
    'ALTER TABLE "event" ADD COLUMN "x" text, DROP COLUMN "detail"': /nothing else/,
    'ALTER TABLE "event" ADD COLUMN "x" integer DEFAULT 1 NOT NULL, ALTER COLUMN "detail" SET NOT NULL': /nothing else/,
    'ALTER TABLE "event" ADD COLUMN "x" text; DROP TABLE "connect_session"': /one statement/,
    'CREATE SEQUENCE "s"; DROP TABLE event': /one statement/,
    'CREATE TABLE "n" ("id" uuid); DROP TABLE "event"': /one statement/,
    'CREATE TABLE "n" ("id" uuid REFERENCES "oauth2_integration"("id"))': /do with oauth2_integration/,
    'CREATE TABLE "n" ("id" uuid);--> statement-breakpoint ALTER TABLE "n" ADD CONSTRAINT "f" FOREIGN KEY ("id") REFERENCES "public"."oauth2_integration"("id");':
      /do with oauth2_integration/,
    'CREATE TABLE "n" ("id" uuid);--> statement-breakpoint DROP TABLE "n", "event";': /not on the list/,
    '-- contract: unused since 1.4.0\nALTER TABLE "event" DROP COLUMN "detail", ALTER COLUMN "type" SET DATA TYPE integer;':
      /not on the list/,
    'CREATE UNIQUE INDEX "a" ON "event" USING btree ("user_id");': /not unique/,
    'CREATE INDEX "a" ON "event" USING btree ("user_id");': /locks writes/,
    'ALTER TABLE "event" ADD CONSTRAINT "a" CHECK ("event"."type" in (\'connected\'));': /not on the list/,
    'ALTER TABLE "oauth2_integration" DROP CONSTRAINT "oauth2_integration_status";': /does not come back/,
    '-- contract: unused since 1.5.0\nALTER TABLE "event" DROP COLUMN "detail";':
      /last release, 1\.4\.0, may still use it/,
    '-- contract: unused since 1.3.0\nALTER TABLE "event" RENAME COLUMN "detail" TO "details";': /not on the list/,
  }
  for (const [sql, why] of Object.entries(refused)) t.match(after(sql).join('\n'), why, sql)
  const narrower = `ALTER TABLE "oauth2_integration" DROP CONSTRAINT "oauth2_integration_status";--> statement-breakpoint
    ALTER TABLE "oauth2_integration" ADD CONSTRAINT "oauth2_integration_status" \
CHECK ("oauth2_integration"."status" in ('active', 'other'));`
  t.match(after(narrower), [/write reconnect_required/])
  const more = `ALTER TABLE "oauth2_integration" DROP CONSTRAINT "oauth2_integration_status";--> statement-breakpoint
    ALTER TABLE "oauth2_integration" ADD CONSTRAINT "oauth2_integration_status" \
CHECK ("oauth2_integration"."status" in ('active', 'reconnect_required')), DROP COLUMN "scopes";`
  t.match(after(more).join('\n'), /not on the list/)
})
