import { readFileSync } from 'node:fs'
import { openApiDocument } from '../app.ts'
import { Misuse, type Command } from './command.ts'

/** The committed document, relative to the root of the repository, where npm scripts run. */
const COMMITTED = 'openapi/openapi.json'

/** The text that is printed and committed. */
export async function openApiText(): Promise<string> {
  return JSON.stringify(await openApiDocument(), null, 2)
}

export const openapi: Command = {
  name: 'openapi',
  summary: `Prints the OpenAPI document of the signed API, made from the routes; \`--check\` compares it with \`${COMMITTED}\``,
  usage: '[--check]',
  options: { check: { type: 'boolean' } },
  async run({ flags }, { out, err }) {
    const text = await openApiText()
    if (flags['check'] !== true) {
      out(text)
      return 0
    }
    const committed = read(COMMITTED)
    if (committed === `${text}\n`) return 0
    err(`${COMMITTED} differs from the routes: run npm run openapi and commit the file`)
    return 1
  },
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new Misuse(`${path} cannot be read: run this command in the root of the repository`)
  }
}
