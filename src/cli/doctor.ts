import { reportOfChecks, examine, examinePublicSide, examineFleet, examineUser, type Report } from '../doctor.ts'
import { USER_ID } from '../core/user-id.ts'
import { Misuse, type Arguments, type Command } from './command.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary:
    'Checks everything the service depends on and says what to do about each thing that is wrong. `--user`: one user, and why they cannot edit. ' +
    "`--fleet`: all users and replicas, and whose problem it most likely is. `--public`: how browsers' requests arrive. Changes nothing; exit status 1 where somebody must act",
  usage: '[--user <user id> | --fleet | --public] [--json]',
  options: {
    user: { type: 'string' },
    fleet: { type: 'boolean' },
    public: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run({ flags }, { env, out }) {
    const { text, json, failed } = await look(flags, env)
    out(flags['json'] === true ? JSON.stringify(json, null, 2) : text)
    return failed ? 1 : 0
  },
}

async function look({ user, fleet, public: entrance }: Arguments['flags'], env: NodeJS.ProcessEnv): Promise<Report> {
  if ([user, fleet, entrance].filter((flag) => flag !== undefined).length > 1)
    throw new Misuse('Only one of --user, --fleet and --public at a time')
  if (fleet === true) return examineFleet(env)
  if (entrance === true) return examinePublicSide(env)
  if (user === undefined) return reportOfChecks(await examine(env))
  if (typeof user !== 'string' || !USER_ID.test(user))
    throw new Misuse('A user id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
  return examineUser(env, user)
}
