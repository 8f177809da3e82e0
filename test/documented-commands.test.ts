import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { COMMANDS, runCommandLine } from '../src/cli/commands.ts'

// Every command line that a document, a chart or a message of the broker shows is one that the broker takes.

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const DOCUMENTS = ['*.md', 'docs/**/*.md', 'clients/python/*.md', 'helm/**/*.{md,yaml,yml,txt,tpl}', 'src/**/*.ts']
const NAMES = COMMANDS.map(({ name }) => name).join('|')
/** A quoted argument, a placeholder, an option or a plain word. It ends at a comment, a pipe or a redirection. */
const ARGUMENT = String.raw`"[^"]*"|'[^']*'|<[^<>|]+>|\$\{[^}]*\}|[\w./*:@,=…-]+`
const PROGRAM = String.raw`(?:\b(?:token-broker|broker)|cli\.js)`
const COMMAND = new RegExp(String.raw`${PROGRAM} (${NAMES})\b((?: (?:${ARGUMENT}))*)`, 'g')
/** In prose that is not code, words follow that are no arguments. */
const OPTIONS_ONLY = new RegExp(String.raw`^(?: (?:<[^<>|]+>|\$\{[^}]*\}|--[\w-]+))*`)
/** What the generated table of usages shows is a grammar. */
const isGrammar = (file: string): boolean => file === 'docs/reference/commands.md' || file.startsWith('src/cli/')

/** Code of Markdown: spans and lines of blocks. Of other files: everything. */
function codeOf(file: string, text: string): string[] {
  if (!file.endsWith('.md')) return []
  const blocks = [...text.matchAll(/```[^\n]*\n([^]*?)```/g)].flatMap(([, block]) => block!.split('\n'))
  const spans = [...text.replaceAll(/```[^]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!)
  return [...blocks.map((line) => line.replace(/\s#.*$/, '')), ...spans]
}

function commandsIn(file: string): string[][] {
  const text = readFileSync(ROOT + file, 'utf8')
  const isMarkdown = file.endsWith('.md')
  return (isMarkdown ? codeOf(file, text) : [text]).flatMap((code) =>
    [...code.matchAll(COMMAND)].map(([, name, rest]) => {
      const args = isMarkdown ? rest! : OPTIONS_ONLY.exec(rest!)![0]
      return [name!, ...(args.match(new RegExp(ARGUMENT, 'g')) ?? [])]
    }),
  )
}

/** Values for placeholders: one that every option takes. */
const VALUE: Record<string, string> = { '--tenant': 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee', '--hours': '4' }
const filled = (args: readonly string[]): string[] =>
  args.map((arg, i) =>
    /^(<.*>|\$\{.*\}|…)$/.test(arg) ? (VALUE[args[i - 1] ?? ''] ?? 'megdocs') : arg.replace(/^["'](.*)["']$/, '$1'),
  )

const files = globSync(DOCUMENTS, { cwd: ROOT }).filter((file) => !isGrammar(file) && !file.includes('node_modules'))
const found = files.flatMap((file) => commandsIn(file).map((command) => ({ file, command })))

t.test('every command line of the documents and messages has arguments that the broker takes', async (t) => {
  const known = new Set(found.map(({ command }) => command.join(' ')))
  for (const expected of [
    'freeze --key <key id> --reason leaked --apply',
    'unfreeze --id ${freeze.id} --apply',
    'audit verify --partial broker-*.log',
    'reseal --forget <id of the lost key>',
  ])
    t.ok(known.has(expected), `the search finds "${expected}"`)

  for (const { file, command } of found) {
    // Only a mention.
    if (command.length === 1 || /^audit (verify|user)$/.test(command.join(' '))) continue
    const err: string[] = []
    const argv = filled(command)
    // Without configuration: a command whose arguments are wrong ends with 2 before it needs any.
    const code = await runCommandLine(argv, {
      env: {},
      now: () => 0,
      out: () => {},
      err: (line) => void err.push(line),
    })
    t.not(code, 2, `${file}: ${command.join(' ')}\n${err.join('\n')}`)
  }
})
