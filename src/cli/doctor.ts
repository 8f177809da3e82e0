import { examine, report } from '../doctor.ts'
import type { Command } from './command.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Checks everything the service depends on and says what to do about each thing that is wrong; changes nothing',
  usage: '[--json]',
  options: { json: { type: 'boolean' } },
  async run({ flags }, { env, out }) {
    const checks = await examine(env)
    out(flags['json'] === true ? JSON.stringify({ checks }, null, 2) : report(checks))
    return checks.some(({ result }) => result === 'failed') ? 1 : 0
  },
}
