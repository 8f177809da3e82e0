#!/usr/bin/env node
// The command line: `token-broker <command>`. Commands call what decides elsewhere; this table is all there is to know of them.
import { parseArgs } from 'node:util'
import { Misuse, type Arguments, type Command, type Terminal } from './cli/command.ts'
import { doctorCommand } from './cli/doctor.ts'
import { importCommand } from './cli/import.ts'
import { keepAliveCommand } from './cli/keep-alive.ts'
import { keygen } from './cli/keygen.ts'
import { migrateCommand } from './cli/migrate.ts'
import { openapi } from './cli/openapi.ts'
import { resealCommand } from './cli/reseal.ts'
import { serve, startProblem } from './main.ts'

/** In the order of help and of the README's table. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'serve',
    summary: 'Starts the service and stays',
    usage: '',
    async run(_args, { env }) {
      await serve(env)
      return 0
    },
  },
  migrateCommand,
  doctorCommand,
  keygen,
  resealCommand,
  importCommand,
  keepAliveCommand,
  openapi,
]

/** Runs one command line (without node and script). Resolves with the exit code: 0 done, 1 failed, 2 called wrongly. Never throws. */
export async function runCommandLine(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [name = 'help', ...rest] = argv
  if (['help', '--help', '-h'].includes(name) || rest.includes('--help')) {
    terminal.out(help())
    return 0
  }
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command === undefined) {
    terminal.err(
      `There is no such command. The commands are ${COMMANDS.map((known) => known.name).join(', ')}; "token-broker help" tells what they do.`,
    )
    return 2
  }
  try {
    return await command.run(readArguments(command, rest), terminal)
  } catch (error) {
    if (error instanceof Misuse) {
      terminal.err(`${error.message}. Usage: ${usageOf(command)}`)
      return 2
    }
    terminal.err(startProblem(error))
    return 1
  }
}

function readArguments({ options = {}, words = 0 }: Command, rest: readonly string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...rest], options, allowPositionals: words > 0 })
    if (positionals.length > words) throw new Misuse('Too many words')
    return { flags: values as Arguments['flags'], words: positionals }
  } catch (error) {
    if (error instanceof Misuse) throw error
    // parseArgs quotes what was typed, which may be a secret in the wrong place: only the flags we have are named.
    const flags = Object.keys(options).map((flag) => `--${flag}`)
    throw new Misuse(
      flags.length === 0
        ? 'It takes no flags'
        : `A flag or word that it does not take, or a flag without its value; it knows ${flags.join(', ')}`,
    )
  }
}

const usageOf = ({ name, usage }: Command): string => `token-broker ${name}${usage === '' ? '' : ` ${usage}`}`

function help(): string {
  return [
    'The token broker: delegated Microsoft access tokens for MEGDocs.',
    '',
    // Backticks are for the README.
    ...COMMANDS.flatMap((command) => [`  ${usageOf(command)}`, `      ${command.summary.replaceAll('`', '')}`]),
    '',
    'Configuration comes from environment variables, or from files by NAME_FILE; the README lists them.',
    'Exit status: 0 done, 1 failed (the reason is on stderr), 2 called wrongly.',
  ].join('\n')
}

/** The README's table of commands, in Markdown. */
export function commandsTable(): string {
  const rows = COMMANDS.map((command) => `| \`${usageOf(command).replaceAll('|', '\\|')}\` | ${command.summary} |`)
  return ['| command | what it does |', '|---|---|', ...rows].join('\n')
}

if (import.meta.main) {
  // Whoever reads may stop early (`| head`): that is no failure to tell.
  process.stdout.on('error', () => process.exit(0))
  const code = await runCommandLine(process.argv.slice(2), {
    env: process.env,
    now: () => Date.now(),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
  })
  // A start that was refused halfway leaves a listener open; a good one leaves code 0 and stays.
  if (code !== 0) process.exit(code)
}
