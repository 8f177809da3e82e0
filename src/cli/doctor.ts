import { USER_ID } from '../core/user-id.ts'
import { diagnose, diagnoseFleet, diagnosePublic, diagnoseUser, type Report } from '../doctor.ts'
import { Misuse, type Arguments, type Command } from './command.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary:
    'Checks everything that the service depends on, and says what to do about each problem. `--user`: one user, and why they ' +
    'cannot edit. `--fleet`: all users and replicas, and the likely cause. `--public`: how requests of browsers arrive. ' +
    'Changes nothing. Exit status 1 if somebody must act',
  usage: '[--user <user id> | --fleet | --public] [--json]',
  options: {
    user: { type: 'string' },
    fleet: { type: 'boolean' },
    public: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run({ flags }, { env, out }) {
    const { text, json, failed } = await reportFor(flags, env)
    out(flags['json'] === true ? JSON.stringify(json, null, 2) : text)
    return failed ? 1 : 0
  },
}

async function reportFor(
  { user, fleet, public: publicSide }: Arguments['flags'],
  env: NodeJS.ProcessEnv,
): Promise<Report> {
  if ([user, fleet, publicSide].filter((flag) => flag !== undefined).length > 1)
    throw new Misuse('Use only one of --user, --fleet and --public')
  if (fleet === true) return diagnoseFleet(env)
  if (publicSide === true) return diagnosePublic(env)
  if (user === undefined) return diagnose(env)
  if (typeof user !== 'string' || !USER_ID.test(user))
    throw new Misuse('A user id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ -')
  return diagnoseUser(env, user)
}
