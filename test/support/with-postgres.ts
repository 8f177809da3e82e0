// node test/support/with-postgres.ts <command …>: starts a PostgreSQL and runs the command with its URL in
// DATABASE_URL.
import { spawn } from 'node:child_process'
import { startDatabase } from '../../sandbox/database.ts'

const [command = 'true', ...words] = process.argv.slice(2)
const database = await startDatabase()
const child = spawn(command, words, { stdio: 'inherit', env: { ...process.env, DATABASE_URL: database.url } })
process.exitCode = await new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
await database.close()
