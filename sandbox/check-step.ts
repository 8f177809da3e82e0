import type { Exchange, Page } from './browser.ts'
import type { Person } from './driver.ts'
import type { World } from './world.ts'

// What the steps of the check are made of.

/** What steps hand on to later ones. */
export interface Course {
  world: World
  /** MEGDocs user u-1001, logged in by the first step. */
  jane: Person
  /** Everything any browser of this run did. */
  exchanges(): Exchange[]
  /** Remembers a browser for the search at the end. */
  with(person: Person): Person
  /** Tokens that MEGDocs' client was given. */
  tokens: string[]
}

export interface Step {
  name: string
  /** Says what was seen; throws when it did not hold. */
  run(course: Course): Promise<string>
}

/** What a step expects; the message says what was seen instead. */
export function expect(held: unknown, seen: string): asserts held {
  if (!held) throw new Error(seen)
}

/** A page in one line, for telling what was met instead. */
export function describe(page: Page): string {
  return `${page.status} "${page.title}" at ${new URL(page.url).pathname}: ${page.text.slice(0, 300)}`
}

/** How this user's latest attempt went, as the broker tells MEGDocs. */
export async function latestOutcome({ world }: Course, userId: string): Promise<string> {
  const [row] = await world.query(
    `select id from connect_session where user_id = '${userId}' and intent = 'connect' order by created_at desc limit 1`,
  )
  const { body } = await world.client.send('GET', `/connect-sessions/${String(row?.['id'])}`)
  const session = body as { status?: string; outcome?: { code?: string; reason?: string } }
  return [session.status, session.outcome?.code, session.outcome?.reason].filter(Boolean).join(' ')
}
