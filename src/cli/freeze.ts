import {
  FREEZE_REASON,
  FREEZE_SCOPES,
  freezeValue,
  freezeValueProblem,
  type Freeze,
  type FreezeScope,
} from '../core/freeze.ts'
import { recordCommand } from '../db/audit-entries.ts'
import { affectedBy } from '../db/people.ts'
import { freezeView } from '../http/views.ts'
import { Misuse, type Arguments, type Command } from './command.ts'
import { withServices } from './with-services.ts'

const FLAGS: Readonly<Record<FreezeScope, string>> = { user: 'user', tenant: 'tenant', caller_key: 'key' }
const WHOM = '--user <user id> | --tenant <tenant id> | --key <key id>'
const MAX_HOURS = 24 * 365

function subjectOf(flags: Arguments['flags']): { scope: FreezeScope; value: string } | undefined {
  const given = FREEZE_SCOPES.flatMap((scope) => {
    const value = flags[FLAGS[scope]]
    return typeof value === 'string' ? [{ scope, value }] : []
  })
  if (given.length > 1) throw new Misuse('Use only one of --user, --tenant and --key')
  const [subject] = given
  if (subject === undefined) return undefined
  const expected = freezeValueProblem(subject.scope, subject.value)
  if (expected !== undefined) throw new Misuse(`--${FLAGS[subject.scope]} must be ${expected}`)
  return { scope: subject.scope, value: freezeValue(subject.scope, subject.value) }
}

function expiryOf(hours: string | boolean | undefined, now: number): string | undefined {
  if (hours === undefined) return undefined
  const number = typeof hours === 'string' && /^\d{1,4}$/.test(hours) ? Number(hours) : 0
  if (number < 1 || number > MAX_HOURS) throw new Misuse(`--hours must be a whole number from 1 to ${MAX_HOURS}`)
  return new Date(now + number * 3_600_000).toISOString()
}

const lineOf = ({ id, scope, value, createdAt, expiresAt, caller, reason }: Freeze): string =>
  `${id}  ${scope} ${value}  since ${createdAt}${expiresAt === undefined ? '' : `, ends ${expiresAt}`}  by ${caller}: ${reason}`

export const freezeCommand: Command = {
  name: 'freeze',
  summary:
    'Stops handing out tokens of a user or an organisation, or to a caller key, at every replica within a second. Nothing is ' +
    'deleted, and nobody has to reconnect afterwards. Without `--apply` it only says whom it concerns',
  usage: `${WHOM} --reason <text> [--hours <1 to ${MAX_HOURS}>] [--apply] [--json]`,
  options: {
    user: { type: 'string' },
    tenant: { type: 'string' },
    key: { type: 'string' },
    reason: { type: 'string' },
    hours: { type: 'string' },
    apply: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run({ flags }, terminal) {
    const subject = subjectOf(flags)
    if (subject === undefined) throw new Misuse('Say whom to freeze')
    const { reason } = flags
    if (typeof reason !== 'string' || !FREEZE_REASON.test(reason))
      throw new Misuse('--reason must be one line of 1 to 200 characters')
    const expiresAt = expiryOf(flags['hours'], terminal.now())
    return withServices(terminal, async ({ database, freezes, callers }) => {
      const integrations = subject.scope === 'caller_key' ? undefined : await affectedBy(database, subject)
      const isKnownKey = subject.scope !== 'caller_key' || callers.current().byKeyId.has(subject.value)
      if (!isKnownKey) terminal.err('The callers file has no such key: check the id.')
      const concerns = integrations === undefined ? 'everything that the key asks for' : `${integrations} integrations`
      if (flags['apply'] !== true) {
        if (flags['json'] === true)
          terminal.out(JSON.stringify({ applied: false, ...subject, integrations: integrations ?? null }, null, 2))
        else terminal.out(`Dry run: ${subject.scope} ${subject.value} concerns ${concerns}. Use --apply to freeze.`)
        return 0
      }
      const { freeze, created } = await freezes.freeze({
        ...subject,
        reason,
        caller: 'token-broker freeze',
        ...(expiresAt === undefined ? {} : { expiresAt }),
      })
      await recordCommand(database, 'freeze', { freeze: freeze.id, scope: freeze.scope, value: freeze.value })
      if (flags['json'] === true)
        terminal.out(
          JSON.stringify(
            { applied: true, created, ...freezeView(freeze), integrations: integrations ?? null },
            null,
            2,
          ),
        )
      else {
        terminal.out(`${created ? 'Frozen' : 'It was frozen already'}: ${concerns}.`)
        terminal.out(lineOf(freeze))
        terminal.out('Tokens that were given before stay valid until they expire, at most 90 minutes.')
      }
      return 0
    })
  },
}

export const unfreezeCommand: Command = {
  name: 'unfreeze',
  summary: 'Lists what is frozen. With `--apply` and one of the others it lifts a freeze; nobody has to reconnect',
  usage: `[--id <id> | ${WHOM}] [--apply] [--json]`,
  options: {
    id: { type: 'string' },
    user: { type: 'string' },
    tenant: { type: 'string' },
    key: { type: 'string' },
    apply: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run({ flags }, terminal) {
    const subject = subjectOf(flags)
    const { id } = flags
    if (id !== undefined && subject !== undefined) throw new Misuse('Use --id or one of the others')
    const isAny = id === undefined && subject === undefined
    if (flags['apply'] === true && isAny) throw new Misuse('Say which freeze to lift')
    return withServices(terminal, async ({ database, freezes }) => {
      const list = (await freezes.list()).filter(
        (freeze) =>
          isAny ||
          (id === undefined ? freeze.scope === subject?.scope && freeze.value === subject.value : freeze.id === id),
      )
      const lifted: Freeze[] = []
      for (const freeze of flags['apply'] === true ? list : []) {
        if ((await freezes.lift(freeze.id, 'token-broker unfreeze')) === undefined) continue
        lifted.push(freeze)
        await recordCommand(database, 'unfreeze', { freeze: freeze.id, scope: freeze.scope, value: freeze.value })
      }
      if (flags['json'] === true)
        terminal.out(
          JSON.stringify({ freezes: list.map(freezeView), lifted: lifted.map((freeze) => freeze.id) }, null, 2),
        )
      else {
        for (const freeze of list) terminal.out(lineOf(freeze))
        if (flags['apply'] === true) terminal.out(`Lifted: ${lifted.length}.`)
        else
          terminal.out(list.length === 0 ? 'Nothing is frozen.' : 'Dry run: nothing was lifted. Use --apply to lift.')
      }
      return flags['apply'] === true && lifted.length === 0 ? 1 : 0
    })
  },
}
