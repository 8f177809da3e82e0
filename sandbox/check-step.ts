import type { Exchange, Page } from './browser.ts'
import type { Person } from './driver.ts'
import type { World } from './world.ts'

// Types and helpers of the steps of the check.

/** State that steps share. */
export interface Course {
  world: World
  /** The MEGDocs user u-1001, logged in by the first step. */
  jane: Person
  /** All exchanges of all browsers of this run. */
  exchanges(): Exchange[]
  /** Registers a person, so that the last step searches the logs for the secrets of their browser. */
  with(person: Person): Person
  /** Tokens that MEGDocs' client has received. */
  tokens: string[]
}

export interface Step {
  name: string
  /** Resolves with a description of the result; throws if an expectation failed. */
  run(course: Course): Promise<string>
}

/** Throws unless `held`. `seen`: what was seen instead. */
export function expect(held: unknown, seen: string): asserts held {
  if (!held) throw new Error(seen)
}

/** A page in one line, for messages. */
export function describe(page: Page): string {
  return `${page.status} "${page.title}" at ${new URL(page.url).pathname}: ${page.text.slice(0, 300)}`
}

/** The outcome of this user's latest connect session, as the broker reports it to MEGDocs. */
export async function latestOutcome({ world }: Course, userId: string): Promise<string> {
  const [row] = await world.query(
    `select id from connect_session where user_id = '${userId}' and intent = 'connect'
      order by created_at desc limit 1`,
  )
  const { body } = await world.client.send('GET', `/connect-sessions/${String(row?.['id'])}`)
  const session = body as { status?: string; outcome?: { code?: string; reason?: string } }
  return [session.status, session.outcome?.code, session.outcome?.reason].filter(Boolean).join(' ')
}
