import { randomBytes } from 'node:crypto'
import { CALLER_PERMISSIONS, USUAL_PERMISSIONS } from '../core/caller-permissions.ts'
import { generateSealingKey, SEALING_KEY_ID, SEALING_KEY_ID_RULE } from '../crypto/keyring.ts'
import { CALLER_NAME, MAX_KEY_DAYS } from '../signature/callers.ts'
import { datedKeyId, generateKey } from '../signature/keygen.ts'
import { CALLER_KEY_ID } from '../signature/keys.ts'
import { Misuse, type Arguments, type Command, type Terminal } from './command.ts'

const DAY_MS = 86_400_000
const DEFAULT_DAYS = 180
const RESTART = 'A NAME_FILE is read again within seconds. A value that is no file needs a restart of the replicas.'
const KINDS = { caller, sealing, session, response, audit }

/** The key goes to stdout and the instructions to stderr, so that `keygen session > file` makes a valid NAME_FILE. */
export const keygen: Command = {
  name: 'keygen',
  summary:
    'Makes a key and says where to put it: for a caller (`caller megdocs`), `SEALING_KEYS` (`sealing`), `SESSION_SECRETS` (`session`), `RESPONSE_SIGNING_KEY` (`response`), `AUDIT_KEYS` (`audit`). ' +
    '`--id`: its id; default: a new one. `--whole-file`: a complete callers file with this one caller on standard output, and the half of the caller on standard error',
  usage:
    'caller <name> [--ed25519] [--days <1 to 400>] [--id <key id>] [--whole-file] | (sealing | response | audit) [--id <key id>] | session',
  options: {
    ed25519: { type: 'boolean' },
    days: { type: 'string' },
    id: { type: 'string' },
    'whole-file': { type: 'boolean' },
  },
  words: 2,
  async run(args, terminal) {
    const [kind = ''] = args.words
    if (!Object.hasOwn(KINDS, kind)) throw new Misuse(`Say what the key is for: ${Object.keys(KINDS).join(', ')}`)
    const others = Object.keys(args.flags).filter((flag) => flag !== 'id' || kind === 'session')
    if (kind !== 'caller' && (args.words.length > 1 || others.length > 0))
      throw new Misuse(`Unexpected argument after keygen ${kind}`)
    KINDS[kind as keyof typeof KINDS](args, terminal)
    return 0
  },
}

function caller({ words: [, name], flags }: Arguments, { now, out, err }: Terminal): void {
  if (name === undefined || !CALLER_NAME.test(name))
    throw new Misuse("A caller key needs the caller's name: a-z 0-9 . _ -, at most 40")
  const days = Number(flags['days'] ?? DEFAULT_DAYS)
  if (!Number.isInteger(days) || days < 1 || days > MAX_KEY_DAYS)
    throw new Misuse(`--days is a whole number from 1 to ${MAX_KEY_DAYS}`)
  const { broker, caller } = generateKey(
    flags['ed25519'] === true ? 'ed25519' : 'hmac-sha256',
    name,
    now() + days * DAY_MS,
    now(),
    idFor('caller', flags) ?? datedKeyId(`${name}-`, now()),
  )
  if (flags['whole-file'] === true) {
    out(JSON.stringify({ callers: [{ name, permissions: USUAL_PERMISSIONS, keys: [broker] }] }, null, 2))
    err(`# For ${name}: into its own secrets`)
    err(JSON.stringify(caller, null, 2))
    err('')
    err(
      `What to do: 1. CALLERS_FILE names the file with what is on standard output. 2. Give ${name} the half above. The broker stores neither.`,
    )
    err(
      `The caller may do what MEGDocs needs: ${USUAL_PERMISSIONS.join(', ')}. This key expires ${broker.not_after}: make the next one before then.`,
    )
    return
  }
  out(`# For the broker: into "keys" of the caller "${name}" in the callers file`)
  out(JSON.stringify(broker, null, 2))
  out('')
  out(`# For ${name}: into its own secrets`)
  out(JSON.stringify(caller, null, 2))
  err('')
  err(
    `What to do: 1. Add the broker's half to CALLERS_FILE, beside the previous key; every replica reads it within seconds. 2. Give ${name} its half.`,
  )
  err(
    `3. When ${name} signs with "${broker.key_id}", remove the previous key. This key expires ${broker.not_after}: make the next one before then.`,
  )
  err(
    `A new caller needs a complete entry: {"name": "${name}", "permissions": [...], "keys": [ the broker's half ]}; permissions are ${CALLER_PERMISSIONS.join(', ')}.`,
  )
  err('token-broker stores neither half. Close this terminal afterwards.')
}

function sealing({ flags }: Arguments, { now, out, err }: Terminal): void {
  out(generateSealingKey(idFor('sealing', flags) ?? datedKeyId('k', now())))
  err(
    'What to do: 1. Put it last in SEALING_KEYS, until every replica has it: now each can open values with it. 2. Put it first, until every replica has that.',
  )
  err(
    '3. Run "token-broker reseal": it says when the old key can be removed. Without this key the stored tokens are lost: keep a copy in your vault.',
  )
}

function session(_args: Arguments, { out, err }: Terminal): void {
  out(randomBytes(32).toString('base64url'))
  err(
    'What to do: 1. Put it last in SESSION_SECRETS, until every replica has it. 2. Put it first. 3. Remove the old secret after 30 minutes.',
  )
  err(RESTART)
}

function response({ flags }: Arguments, { now, out, err }: Terminal): void {
  const id = idFor('response', flags) ?? datedKeyId('broker-', now())
  const { broker, caller: own } = generateKey('ed25519', 'broker', now() + DAY_MS, now(), id)
  out(`${own.key_id}:${own.private_key}`)
  err(
    `What to do: 1. Callers with an ed25519 key verify answers with this; give it to them: key id "${own.key_id}", public key ${broker.public_key}`,
  )
  err('2. Then set RESPONSE_SIGNING_KEY to the line above.')
  err(RESTART)
}

function audit({ flags }: Arguments, { now, out, err }: Terminal): void {
  out(generateSealingKey(idFor('audit', flags) ?? datedKeyId('a', now())))
  err(
    'What to do: put it first in AUDIT_KEYS: each replica writes a line under the old key and the new one. Keep the old key as long ' +
      'as you keep logs that it chained, and a copy of both where the logs are verified, away from where they are stored.',
  )
  err(RESTART)
}

/** The id that was asked for. All but those of callers stand before a colon in their variable. */
function idFor(kind: keyof typeof KINDS, { id }: Arguments['flags']): string | undefined {
  if (typeof id !== 'string') return undefined
  if (kind === 'caller' && !CALLER_KEY_ID.test(id))
    throw new Misuse('--id is 1 to 64 characters of A-Z a-z 0-9 . _ : / -')
  if (kind !== 'caller' && !SEALING_KEY_ID.test(id)) throw new Misuse(`--id: ${SEALING_KEY_ID_RULE}`)
  return id
}
