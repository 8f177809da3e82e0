import { readFileSync } from 'node:fs'
import t from 'tap'
import { breaches, migrations, NEWER, released, type Released } from './migration-rules.ts'

// Old and new replicas run side by side during a rollout, and after a rollback: so a migration may only add what the last release does
// not notice. That it does not is run for real in test/flow/newer-schema.test.ts and in drills/upgrade.ts.

const ALL = migrations()
const NEWEST = ALL.at(-1)!.tag
const RELEASED: Released = { release: '1.4.0', migration: NEWEST }
const after = (sql: string, last: Released = RELEASED) => breaches([...ALL, { tag: '9999_next', sql }], last)

t.test('every migration since the last release leaves its replicas alone', async (t) => {
  t.strictSame(breaches(ALL, released()), [])
})

t.test('released.json names the last release of the changelog, and a migration that exists', async (t) => {
  const [, newest = null] = /^## v?(\d+\.\d+\.\d+)/m.exec(readFileSync(new URL('../../CHANGELOG.md', import.meta.url), 'utf8')) ?? []
  const { release, migration } = released()
  t.equal(release, newest, 'write the release and its newest migration into test/db/released.json')
  t.ok(migration === null ? release === null : ALL.some(({ tag }) => tag === migration))
})

t.test('what adds is allowed', async (t) => {
  t.strictSame(breaches([...ALL, NEWER], RELEASED), [])
  const allowed = [
    'ALTER TABLE "event" ADD COLUMN "a" timestamp with time zone DEFAULT now() NOT NULL;',
    'ALTER TYPE "public"."kind" ADD VALUE \'more\';',
    '-- contract: unused since 1.4.0\nALTER TABLE "event" DROP COLUMN "detail";',
    '-- contract: unused since 1.3.9\nDROP TABLE "request_nonce";',
  ]
  for (const sql of allowed) t.strictSame(after(sql), [], sql)
  t.strictSame(breaches([{ tag: '0000_first', sql: 'CREATE TABLE "a" ("b" text);' }, { tag: '0001_second', sql: 'ALTER TABLE "a" DROP COLUMN "b";' }],
    { release: null, migration: null }), [], 'what no release has is nobody\'s')
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
    'ALTER TABLE "event" ADD COLUMN "a" text NOT NULL;': /needs a default/,
    'ALTER TABLE "event" ADD COLUMN "a" uuid DEFAULT gen_random_uuid() NOT NULL;': /constant/,
    'ALTER TABLE "event" ADD COLUMN "a" text UNIQUE;': /nothing else/,
    'CREATE UNIQUE INDEX "a" ON "event" USING btree ("user_id");': /not unique/,
    'CREATE INDEX "a" ON "event" USING btree ("user_id");': /locks writes/,
    'ALTER TABLE "event" ADD CONSTRAINT "a" CHECK ("event"."type" in (\'connected\'));': /not on the list/,
    'ALTER TABLE "oauth2_integration" DROP CONSTRAINT "oauth2_integration_status";': /does not come back/,
    '-- contract: unused since 1.5.0\nALTER TABLE "event" DROP COLUMN "detail";': /last release, 1\.4\.0, may still use it/,
    '-- contract: unused since 1.3.0\nALTER TABLE "event" RENAME COLUMN "detail" TO "details";': /not on the list/,
  }
  for (const [sql, why] of Object.entries(refused)) t.match(after(sql).join('\n'), why, sql)
  const narrower = `ALTER TABLE "oauth2_integration" DROP CONSTRAINT "oauth2_integration_status";--> statement-breakpoint
    ALTER TABLE "oauth2_integration" ADD CONSTRAINT "oauth2_integration_status" CHECK ("oauth2_integration"."status" in ('active', 'other'));`
  t.match(after(narrower), [/write reconnect_required/])
})
