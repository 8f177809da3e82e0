// node test/support/with-postgres.ts <command …>: runs it with DATABASE_URL naming a server that is not the tests' own.
import { spawn } from 'node:child_process'
import { startDatabase } from '../../sandbox/database.ts'

const [command = 'true', ...words] = process.argv.slice(2)
const database = await startDatabase()
const child = spawn(command, words, { stdio: 'inherit', env: { ...process.env, DATABASE_URL: database.url } })
process.exitCode = await new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)))
await database.close()
