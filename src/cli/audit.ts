import { readAuditFiles } from '../audit/files.ts'
import type { ReadLine } from '../audit/parse-line.ts'
import { createVerifier, type AuditReport, type Finding, type Life } from '../audit/verify.ts'
import { readAuditKeys } from '../config.ts'
import { USER_ID } from '../core/user-id.ts'
import { VERSION } from '../version.ts'
import { Misuse, type Command, type Terminal } from './command.ts'

/** Findings that are printed one by one. */
const MAX_PRINTED = 200

export const auditCommand: Command = {
  name: 'audit',
  summary:
    'Reads stored logs (plain or gzip, rotated, of several replicas, mixed with other lines) with `AUDIT_KEYS`. `verify`: to which ' +
    'number the audit of each process is complete, and what is missing, altered, doubled or foreign. `user`: who was given the ' +
    "user's token, when, with which key, for what. `--partial`: the files do not begin with the first line of each process. Exit " +
    'status 1 if the audit is not whole',
  usage: 'verify [--partial] [--json] <file>… | user <user id> [--partial] <file>…',
  options: { partial: { type: 'boolean' }, json: { type: 'boolean' } },
  words: 100_000,
  async run({ words: [what, ...rest], flags }, terminal) {
    const user = what === 'user' ? rest.shift() : undefined
    if (what !== 'verify' && what !== 'user') throw new Misuse('Say what to do: verify or user')
    if (what === 'user' && (user === undefined || !USER_ID.test(user)))
      throw new Misuse('A user id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
    if (rest.length === 0) throw new Misuse('Name the files of the log')
    const found: ReadLine[] = []
    const verifier = createVerifier({
      keys: readAuditKeys(terminal.env),
      partial: flags['partial'] === true,
      onLine: (line) => void (user !== undefined && line.user_id === user && found.push(line)),
    })
    try {
      await readAuditFiles(rest, verifier.take)
    } catch (error) {
      const { code } = error as { code?: unknown }
      const message = `A file cannot be read${typeof code === 'string' ? ` (${code})` : ''}.`
      if (flags['json'] === true)
        terminal.out(JSON.stringify({ version: VERSION, error: { code: 'unreadable_file', message } }, null, 2))
      terminal.err(message)
      return 1
    }
    const report = verifier.report()
    if (flags['json'] === true) terminal.out(JSON.stringify(user === undefined ? report : { lines: found, report }))
    else {
      if (user !== undefined) printUser(user, found, terminal)
      printReport(report, terminal)
    }
    return report.whole && report.lives.length > 0 ? 0 : 1
  },
}

/** Without keys a line may hold anything, also what moves the cursor of a terminal. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, '?')

function printUser(user: string, lines: ReadLine[], { out }: Terminal): void {
  lines.sort((a, b) => (a.time < b.time ? -1 : 1))
  const read = lines.filter(({ audit }) => audit === 'token_handed_out')
  const callers = [...new Set(read.map(({ caller }) => caller))].join(', ')
  out(
    read.length === 0
      ? `Nobody was given the token of user ${user}, as far as these files say.`
      : printable(
          `The token of user ${user} was handed out ${read.length} times, to ${callers}, from ${read[0]!.time} to ${read.at(-1)!.time}.`,
        ),
  )
  for (const line of lines) out(`  ${printable(sentence(line))}`)
  out('')
}

/** One line in words. */
export function sentence(line: ReadLine): string {
  const by = `${line.caller ?? 'the broker'}${line.key_id === undefined ? '' : ` with key ${line.key_id}`}${line.peer === undefined ? '' : ` from ${line.peer}`}`
  const context = line.context === undefined ? '' : `, for ${line.context}`
  const account =
    line.object_id === undefined ? '' : `, account ${line.object_id} of organisation ${line.tenant_id ?? 'unknown'}`
  const reference = line.request_id === undefined ? '' : `; request ${line.request_id}`
  const what: Record<string, string> = {
    token_handed_out: `${by} was given the token of generation ${line.generation}${account}${context}${line.degraded === undefined ? '' : ` (not refreshed: ${line.degraded})`}`,
    refused: `${by} was refused: ${line.code}${line.reason === undefined ? '' : `, ${line.reason}`} (${line.method} ${line.route})${context}`,
    connect_begun: `${by} began a connect session (${line.intent})`,
    connect_completed: `${by} completed a connect session: ${line.outcome}${line.reason === undefined ? '' : `, ${line.reason}`}`,
    connect_ended: `${by} ended a connect session, because another login came back: ${line.reason}`,
    frozen: `${by} withheld the tokens of ${line.scope} ${line.value}`,
    unfrozen: `${by} lifted the freeze of ${line.scope} ${line.value}`,
    disconnected: `${by} disconnected the user${line.was_connected === false ? ', who was not connected' : ''}`,
    browser_sessions_ended: `${by} ended the browser sessions of the user`,
    let_go: 'the broker deleted the integration, because no caller had read it for long',
  }
  return `${line.time}  ${what[line.audit] ?? line.audit}${reference}`
}

function printReport({ lives, findings, proven, whole }: AuditReport, { out }: Terminal): void {
  for (const life of lives) out(printable(lifeSentence(life)))
  for (const finding of findings.slice(0, MAX_PRINTED)) out(printable(findingSentence(finding)))
  if (findings.length > MAX_PRINTED) out(`… and ${findings.length - MAX_PRINTED} more`)
  if (!proven) out('No AUDIT_KEYS: the numbers were checked, and nothing proves that the lines are unchanged.')
  if (lives.length === 0) out('There is no audit line in these files.')
  else if (whole) out('The audit is whole: nothing is missing, altered, doubled or foreign.')
  else out('The audit is NOT whole.')
}

function lifeSentence({ life, completeTo, highest, lines, first, last, ended, seenByOthers, version }: Life): string {
  const end = ended
    ? 'it ended in order with this line'
    : seenByOthers === undefined
      ? 'it still ran or was killed, and no other replica says how far it came'
      : `it still ran or was killed; other replicas saw number ${seenByOthers}`
  return (
    `life ${life}${version === undefined ? '' : ` (version ${version})`}: ${lines} lines from ${first} to ${last}; ` +
    `complete to number ${completeTo}${completeTo === highest ? '' : `, its highest is ${highest}`}; ${end}`
  )
}

export function findingSentence(finding: Finding): string {
  const at = 'place' in finding ? ` (${finding.place.file}, line ${finding.place.line})` : ''
  switch (finding.kind) {
    case 'missing': {
      const { life, from, to, seenBy } = finding
      const which = from === to ? `number ${from}` : `numbers ${from} to ${to}`
      return `MISSING: life ${life}, ${which}${seenBy === undefined ? '' : `; ${seenBy} saw ${from === to ? 'it' : 'them'}`}`
    }
    case 'altered':
      return `ALTERED: life ${finding.life}, number ${finding.number}: ${finding.why}${at}`
    case 'doubled':
      return `DOUBLED: life ${finding.life}, number ${finding.number}${at}`
    case 'foreign':
      return `FOREIGN: ${finding.why}${at}`
    case 'broken':
      return `BROKEN: life ${finding.life}, number ${finding.number} does not follow the line before it`
    case 'unfinished': {
      const { life, number } = finding
      const which =
        life === undefined ? 'a last line' : `life ${life}${number === undefined ? '' : `, number ${number}`}`
      return `unfinished: ${which}, cut off when its process was killed; no token was sent for it${at}`
    }
  }
}
