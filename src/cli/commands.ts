// The table of commands, and how a command line is run. Help and the reference of commands are made from this table.
import { parseArgs } from 'node:util'
import { auditCommand } from './audit.ts'
import { Misuse, type Arguments, type Command, type Terminal } from './command.ts'
import { doctorCommand } from './doctor.ts'
import { freezeCommand, unfreezeCommand } from './freeze.ts'
import { importCommand } from './import.ts'
import { keepAliveCommand } from './keep-alive.ts'
import { keygen } from './keygen.ts'
import { migrateCommand } from './migrate.ts'
import { disconnectCommand, exportCommand } from './people.ts'
import { openapi } from './openapi.ts'
import { resealCommand } from './reseal.ts'
import { problemOf, serve, startProblem } from '../main.ts'
import { VERSION } from '../version.ts'

/** In the order of the help text. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'serve',
    summary: 'Runs the service until SIGTERM or SIGINT',
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
  freezeCommand,
  unfreezeCommand,
  disconnectCommand,
  exportCommand,
  auditCommand,
  openapi,
  {
    name: 'version',
    summary: 'Prints the version; also `--version`',
    usage: '',
    async run(_args, { out }) {
      out(VERSION)
      return 0
    },
  },
]

/**
 * Runs one command line (without node and script). Resolves with the exit status: 0 done, 1 failed, 2 wrong arguments.
 * Never rejects.
 */
export async function runCommandLine(argv: readonly string[], terminal: Terminal): Promise<number> {
  const [first = 'help', ...rest] = argv
  const name = first === '--version' ? 'version' : first
  if (['help', '--help', '-h'].includes(name) || rest.includes('--help')) {
    terminal.out(help())
    return 0
  }
  const command = COMMANDS.find((candidate) => candidate.name === name)
  // Scripts get JSON whatever happens.
  const asJson = rest.includes('--json')
  const printJson = (error: object) => terminal.out(JSON.stringify({ version: VERSION, error }, null, 2))
  if (command === undefined) {
    terminal.err(
      `Unknown command. The commands are ${COMMANDS.map((known) => known.name).join(', ')}; "token-broker help" explains them.`,
    )
    return 2
  }
  try {
    return await command.run(readArguments(command, rest), terminal)
  } catch (error) {
    if (error instanceof Misuse) {
      if (asJson) printJson({ code: 'wrong_arguments', message: error.message })
      terminal.err(`${error.message}. Usage: ${usageOf(command)}`)
      return 2
    }
    if (asJson) printJson(problemOf(error))
    terminal.err(startProblem(error))
    return 1
  }
}

function readArguments({ options = {}, words = 0 }: Command, rest: readonly string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...rest], options, allowPositionals: words > 0 })
    if (positionals.length > words) throw new Misuse('Unexpected argument')
    return { flags: values as Arguments['flags'], words: positionals }
  } catch (error) {
    if (error instanceof Misuse) throw error
    // The message of parseArgs quotes the arguments, and one of them may be a secret in the wrong place.
    const flags = Object.keys(options).map((flag) => `--${flag}`)
    throw new Misuse(
      flags.length === 0
        ? 'Unexpected argument: this command has no options'
        : `Unexpected argument, or an option without its value; the options are ${flags.join(', ')}`,
    )
  }
}

const usageOf = ({ name, usage }: Command): string => `token-broker ${name}${usage === '' ? '' : ` ${usage}`}`

function help(): string {
  return [
    `The token broker ${VERSION}: delegated Microsoft access tokens for MEGDocs.`,
    '',
    // Backticks are for Markdown.
    ...COMMANDS.flatMap((command) => [`  ${usageOf(command)}`, `      ${command.summary.replaceAll('`', '')}`]),
    '',
    'Configuration comes from environment variables, or from the files that NAME_FILE variables name; the README links to the list.',
    'Exit status: 0 done, 1 failed (stderr has the reason), 2 wrong arguments.',
  ].join('\n')
}

/** The table of commands in Markdown, for the documents. */
export function commandsTable(): string {
  const rows = COMMANDS.map((command) => `| \`${usageOf(command).replaceAll('|', '\\|')}\` | ${command.summary} |`)
  return ['| command | what it does |', '|---|---|', ...rows].join('\n')
}

/** Runs the command line of this process. */
export async function runProcess(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  process.stdout.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => {
    // The reader of a pipe may stop early (`| head`), which is no failure. A full disk is: the key or export is lost.
    if (code === 'EPIPE') process.exit(0)
    process.stderr.write(`The result could not be written to standard output: ${code}\n`)
    process.exit(1)
  })
  const status = await runCommandLine(argv, {
    env,
    now: () => Date.now(),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
  })
  // After a failed start, open listeners would keep the process alive. After status 0 the service must go on.
  if (status !== 0) process.exit(status)
}
