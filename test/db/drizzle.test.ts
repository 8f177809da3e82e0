import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'

t.test('only db/drizzle.ts loads drizzle-orm: its ES modules cost 0.7 s of start and 150 MB', async (t) => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const loading = globSync('src/**/*.ts', { cwd: root }).filter((file) =>
    /^\s*(?:import|export)\s(?!type\b)[^;]*?from 'drizzle-orm/m.test(
      readFileSync(`${root}/${file}`, 'utf8').replace(/^import type [^]*?from .*$|^export type .*$/gm, ''),
    ),
  )
  t.same(loading, [])
})
