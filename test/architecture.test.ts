import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

// Who may know whom (docs/design.md#layout), read from the import lines. Imports of types count too.

const SRC = fileURLToPath(new URL('../src', import.meta.url))
const ROOT = dirname(SRC)

/** Folders that own a part of the outside world. They know core; what one needs of another is a port in core. */
const PARTS = ['db', 'http', 'microsoft', 'signature', 'crypto']
/** config parses keys and secrets with those who own their forms. */
const KNOWN_TO_CONFIG = ['config', 'crypto', 'signature', 'core']

interface Import {
  file: string
  /** A path from the root for our own files, else the package or `node:…`. */
  target: string
}

function importsOf(folder: string): Import[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const path = join(folder, name)
      const text = readFileSync(path, 'utf8')
      const specifiers = [
        ...text.matchAll(
          /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g,
        ),
      ]
      return specifiers.map(([, from, dynamic]) => {
        const specifier = (from ?? dynamic)!
        return {
          file: relative(ROOT, path),
          target: specifier.startsWith('.') ? relative(ROOT, join(dirname(path), specifier)) : specifier,
        }
      })
    })
}

const all = importsOf(SRC)
const isOurs = ({ target }: Import) => target.startsWith('src/')
const partOf = (path: string): string | undefined => /^src\/([\w-]+)\//.exec(path)?.[1]
const told = (imports: Import[]) => imports.map(({ file, target }) => `${file} imports ${target}`)

t.test('the reader of imports sees them', async (t) => {
  t.ok(all.length > 300)
  t.ok(all.some(({ file, target }) => file === 'src/core/refresh.ts' && target === 'src/core/ports.ts'))
  t.ok(all.some(({ file, target }) => file === 'src/db/client.ts' && target === 'postgres'))
})

t.test('src imports nothing of sandbox, tests, benchmarks or drills', async (t) => {
  t.strictSame(told(all.filter(({ target }) => /^(\.\.|sandbox|test|bench|drills)\b/.test(target))), [])
})

t.test('core imports core and node: only', async (t) => {
  t.strictSame(
    told(
      all.filter(
        ({ file, target }) => partOf(file) === 'core' && partOf(target) !== 'core' && !target.startsWith('node:'),
      ),
    ),
    [],
  )
})

t.test('core takes no clock, chance, environment or network from node:', async (t) => {
  const banned = /^node:(fs|http|https|net|dns|process|timers|os|child_process|worker_threads)/
  t.strictSame(told(all.filter(({ file, target }) => partOf(file) === 'core' && banned.test(target))), [])
  for (const name of readdirSync(join(SRC, 'core'))) {
    const text = readFileSync(join(SRC, 'core', name), 'utf8')
    t.notMatch(
      text,
      /\bDate\.now\(|new Date\(\)|Math\.random\(|process\.|performance\.|setTimeout\(|setInterval\(/,
      name,
    )
  }
})

t.test('folders beside each other do not import each other, nor what stands above them', async (t) => {
  const wrong = all.filter((entry) => {
    const from = partOf(entry.file)
    return (
      from !== undefined &&
      PARTS.includes(from) &&
      isOurs(entry) &&
      entry.target !== 'src/version.ts' &&
      ![from, 'core', ...(from === 'http' ? ['texts'] : [])].includes(partOf(entry.target) ?? '')
    )
  })
  t.strictSame(told(wrong), [])
})

t.test(
  'texts know the types of core and nothing else: a catalogue can be made of them without a service',
  async (t) => {
    t.strictSame(
      told(all.filter(({ file, target }) => partOf(file) === 'texts' && !/^src\/(texts|core)\//.test(target))),
      [],
    )
    for (const name of readdirSync(join(SRC, 'texts'))) {
      const lines = readFileSync(join(SRC, 'texts', name), 'utf8').split('\n')
      t.strictSame(
        lines.filter((line) => line.includes("from '../core/") && !line.startsWith('import type ')),
        [],
        name,
      )
    }
  },
)

t.test("config knows keys' forms and nobody else; nobody below knows config", async (t) => {
  const config = (path: string) => path === 'src/config.ts' || partOf(path) === 'config'
  t.strictSame(
    told(
      all.filter(
        (entry) =>
          config(entry.file) &&
          isOurs(entry) &&
          !config(entry.target) &&
          !KNOWN_TO_CONFIG.includes(partOf(entry.target) ?? ''),
      ),
    ),
    [],
  )
  t.strictSame(
    told(
      all.filter(
        ({ file, target }) => config(target) && (PARTS.includes(partOf(file) ?? '') || partOf(file) === 'core'),
      ),
    ),
    [],
  )
})

t.test(
  "what joins is not known by what is joined: services know no routes' apps, apps no start, nobody the command line",
  async (t) => {
    const order = [
      'src/telemetry.ts',
      'src/services.ts',
      'src/app.ts',
      'src/main.ts',
      'src/cli/commands.ts',
      'src/cli.ts',
    ]
    const wrong = all.filter(({ file, target }) => {
      const [from, to] = [order.indexOf(file), order.indexOf(target)]
      return (from >= 0 && to > from) || (target === 'src/cli.ts' && file !== 'src/cli.ts')
    })
    t.strictSame(told(wrong), [])
  },
)

t.test('each part of the outside world is reached from its own folder only', async (t) => {
  const owners: Record<string, RegExp> = {
    postgres: /^src\/db\//,
    'drizzle-orm': /^src\/db\//,
    undici: /^src\/(microsoft\/|services\.ts)/,
    fastify: /^src\/(http\/|app\.ts|main\.ts)/,
    'node:process': /^$/,
  }
  const wrong = all.filter(({ file, target }) => {
    const owner = Object.entries(owners).find(([name]) => target === name || target.startsWith(`${name}/`))?.[1]
    return owner !== undefined && !owner.test(file)
  })
  t.strictSame(told(wrong), [])
})

t.test('the environment is read by config alone; main and cli only pass it on', async (t) => {
  const readers = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && /process\.env/.test(readFileSync(join(SRC, name), 'utf8')),
  )
  t.strictSame(readers.sort(), ['cli.ts', 'main.ts'])
})

t.test('only packages that package.json names as dependencies are imported', async (t) => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const foreign = all.filter(
    (entry) => !isOurs(entry) && !entry.target.startsWith('node:') && !builtinModules.includes(entry.target),
  )
  const nameOf = (target: string) =>
    target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/')
  t.strictSame(told(foreign.filter(({ target }) => !(nameOf(target) in dependencies))), [])
})

t.test('no file of src is longer than 450 lines, except the texts: one file a language', async (t) => {
  const long = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (name) =>
      name.endsWith('.ts') &&
      !/^texts\/..\.ts$/.test(name) &&
      readFileSync(join(SRC, name), 'utf8').split('\n').length > 451,
  )
  t.strictSame(long, [])
})

t.test('no cast hides a type from the compiler', async (t) => {
  // `as unknown as X`, `as never` and `{} as X` say nothing that the compiler can check. Each use stands here with its
  // reason.
  const NAMED: Record<string, string> = {
    'app.ts': 'the routes are listed for OpenAPI without services; any use of one throws',
  }
  const found = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) =>
      /\bas unknown as\b|\bas never\b|\{\} as [A-Z]|\bas any\b/.test(readFileSync(join(SRC, name), 'utf8')),
    )
  t.strictSame(found.sort(), Object.keys(NAMED).sort())
})
