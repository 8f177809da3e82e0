import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { migrate } from '../src/db/migrate.ts'
import { documentedGrants } from '../test/support/grants.ts'
import type { DeploymentOptions } from './deployment.ts'

export interface Roles {
  options: Required<Pick<DeploymentOptions, 'migrate' | 'via'>>
  /** The same database as the role that owns it. */
  ownerUrl(url: string): string
}

/** As docs/runbooks.md has it: one role owns the database, and brokers use another, with the documented rights only. */
export function ownRoles(): Roles {
  const password = randomBytes(16).toString('hex')
  const as = (username: string) => (url: string) => Object.assign(new URL(url), { username, password }).href
  const ownerUrl = as('token_broker_owner')
  return {
    ownerUrl,
    options: {
      via: as('token_broker'),
      async migrate(url) {
        const admin = postgres(url, { max: 1, onnotice: () => {} })
        await admin.unsafe(`create role token_broker_owner login createrole password '${password}'`)
        await admin.unsafe('alter database token_broker owner to token_broker_owner')
        await admin.end()
        await migrate(ownerUrl(url))
        const owner = postgres(ownerUrl(url), { max: 1, onnotice: () => {} })
        await owner.unsafe(documentedGrants(password))
        await owner.end()
      },
    },
  }
}
