import { readConfig } from '../config.ts'
import { createVault } from '../crypto/vault.ts'
import { openDatabase } from '../db/client.ts'
import { forgetSealingKey } from '../db/deployment.ts'
import { reseal, type KeyCounts, type ResealProgress, type ResealReport } from '../db/reseal.ts'
import { Misuse, type Command, type Terminal } from './command.ts'

/** Milliseconds between two lines of progress. */
const EVERY = 2_000
/** Values named by id; the rest is counted. */
const NAMED = 20

export const resealCommand: Command = {
  name: 'reseal',
  summary:
    'Seals every stored value anew with the first of `SEALING_KEYS`, while the service runs; may be interrupted and repeated. ' +
    '`--forget` strikes out a key that is lost for good',
  usage: '[--forget <key id>]',
  options: { forget: { type: 'string' } },
  async run({ flags }, terminal) {
    const config = readConfig(terminal.env)
    const forget = flags['forget']
    const database = openDatabase(config.database)
    try {
      if (typeof forget === 'string') {
        if (config.sealingKeys.some(({ id }) => id === forget))
          throw new Misuse('A key in SEALING_KEYS is not lost: run it without --forget')
        const known = await forgetSealingKey(database, forget)
        terminal.out(
          known
            ? 'Struck out. Users whose tokens it sealed get token_unreadable until they connect again.'
            : 'There was no such key.',
        )
        return known ? 0 : 1
      }
      return tell(await reseal(database, createVault(config.sealingKeys), progress(terminal)), terminal)
    } finally {
      await database.close()
    }
  },
}

function progress({ now, out }: Terminal) {
  let last = now()
  return ({ pass, table, rows, resealed }: ResealProgress): void => {
    if (now() - last < EVERY) return
    last = now()
    out(`pass ${pass}: ${rows} rows of ${table} looked at, ${resealed} values resealed`)
  }
}

function tell(
  { newest, before, after, resealed, unreadable, settled, retired }: ResealReport,
  { out, err }: Terminal,
): number {
  const counts = (of: KeyCounts) =>
    Object.entries(of)
      .map(([keyId, values]) => `${values} under ${keyId || 'no key'}`)
      .join(', ') || 'none'
  out(`sealed values before: ${counts(before)}`)
  out(`sealed values now:    ${counts(after)}`)
  out(`resealed with ${newest}: ${resealed}`)
  for (const { table, id, column, keyId, why } of unreadable.slice(0, NAMED)) {
    err(`cannot be opened: ${table} ${id} ${column}, key ${keyId || 'none'}, ${why}`)
  }
  if (unreadable.length > NAMED) err(`… and ${unreadable.length - NAMED} more`)
  if (!settled) {
    err(
      'Values are still being sealed with another key: a replica has another first key in SEALING_KEYS. Roll it out, then run this again.',
    )
  }
  if (unreadable.length > 0) {
    err(
      `${unreadable.length} values were left as they are: find the key that sealed them, or let these users connect again. ` +
        'Keep all keys until then.',
    )
  }
  if (!settled || unreadable.length > 0) return 1
  out(
    retired.length > 0
      ? `Nothing is left under ${retired.join(', ')}: it can be taken out of SEALING_KEYS now.`
      : `Everything is under ${newest}: other keys can be taken out of SEALING_KEYS.`,
  )
  return 0
}
