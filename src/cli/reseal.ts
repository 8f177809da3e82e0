import { readConfig } from '../config.ts'
import { createVault } from '../crypto/vault.ts'
import { recordCommand } from '../db/audit-entries.ts'
import { openDatabase, type Database } from '../db/client.ts'
import { forgetSealingKey, recordedSealingKeys } from '../db/deployment.ts'
import { reseal, valuesUnderKey, type KeyCounts, type ResealProgress, type ResealReport } from '../db/reseal.ts'
import { Misuse, type Command, type Terminal } from './command.ts'

/** Between two lines of progress. */
const PROGRESS_MS = 2_000
/** Values that are named by id. The others are only counted. */
const MAX_NAMED = 20

export const resealCommand: Command = {
  name: 'reseal',
  summary:
    'Seals every stored value again, with the first of `SEALING_KEYS`, while the service runs; may be interrupted and repeated. ' +
    '`--forget` gives up a lost key: it removes the key from the list in the database. Without `--apply` it only says what is lost ' +
    'with it',
  usage: '[--forget <key id> [--apply]]',
  options: { forget: { type: 'string' }, apply: { type: 'boolean' } },
  async run({ flags }, terminal) {
    const config = readConfig(terminal.env)
    const forget = flags['forget']
    if (flags['apply'] !== undefined && forget === undefined) throw new Misuse('--apply is for --forget only')
    const database = openDatabase(config.database)
    try {
      if (typeof forget === 'string') {
        if (config.sealingKeys.some(({ id }) => id === forget))
          throw new Misuse('This key is in SEALING_KEYS, so it is not lost: run reseal without --forget')
        return await giveUp(forget, flags['apply'] === true, database, terminal)
      }
      const report = await reseal(database, createVault(config.sealingKeys), progress(terminal))
      const { newest, resealed, unreadable } = report
      await recordCommand(database, 'reseal', { key_id: newest, resealed, unreadable: unreadable.length })
      return printReport(report, terminal)
    } finally {
      await database.close()
    }
  },
}

/** Removes a key that nobody has any longer from the list in the database. */
async function giveUp(keyId: string, apply: boolean, database: Database, { out }: Terminal): Promise<number> {
  const recorded = await recordedSealingKeys(database)
  if (!recorded.has(keyId)) {
    out('The database has no such key.')
    return 1
  }
  const { values, integrations, connectSessions } = await valuesUnderKey(database, keyId)
  out(
    values === 0
      ? `Nothing is sealed with ${keyId}.`
      : `${keyId} sealed ${values} values of ${integrations} integrations and ${connectSessions} connect sessions. Nobody ` +
          `can open them without it: ${integrations} users get token_unreadable until they connect again.`,
  )
  if (!apply) {
    out(`Dry run: look for the key first (vault, backups, old releases). Use --apply to give up ${keyId}.`)
    return 0
  }
  const known = await forgetSealingKey(database, keyId)
  await recordCommand(database, 'reseal --forget', { key_id: keyId, known, values, integrations })
  out(
    `The key was removed from the list: replicas start without it. The values stay as they are: if the key is found, put it ` +
      'behind the first of SEALING_KEYS, and they open again.',
  )
  return 0
}

function progress({ now, out }: Terminal) {
  let last = now()
  return ({ pass, table, rows, resealed }: ResealProgress): void => {
    if (now() - last < PROGRESS_MS) return
    last = now()
    out(`pass ${pass}: ${rows} rows of ${table} read, ${resealed} values resealed`)
  }
}

function printReport(
  { newest, before, after, resealed, unreadable, settled, retired }: ResealReport,
  { out, err }: Terminal,
): number {
  const counts = (of: KeyCounts) =>
    Object.entries(of)
      .map(([keyId, values]) => `${values} with ${keyId || 'no key'}`)
      .join(', ') || 'none'
  out(`sealed values before: ${counts(before)}`)
  out(`sealed values now:    ${counts(after)}`)
  out(`resealed with ${newest}: ${resealed}`)
  for (const { table, id, column, keyId, why } of unreadable.slice(0, MAX_NAMED)) {
    err(`cannot be opened: ${table} ${id} ${column}, key ${keyId || 'none'}, ${why}`)
  }
  if (unreadable.length > MAX_NAMED) err(`… and ${unreadable.length - MAX_NAMED} more`)
  if (!settled) {
    err(
      'A replica still seals values with another key: its SEALING_KEYS begins with another key. Roll out the new setting, then run this again.',
    )
  }
  if (unreadable.length > 0) {
    err(
      `${unreadable.length} values were not changed: find the key that sealed them, or let these users connect again. ` +
        'Keep all keys until then.',
    )
  }
  if (!settled || unreadable.length > 0) return 1
  out(
    retired.length > 0
      ? `No value is sealed with ${retired.join(', ')}: it can be removed from SEALING_KEYS now.`
      : `Every value is sealed with ${newest}: the other keys can be removed from SEALING_KEYS.`,
  )
  return 0
}
