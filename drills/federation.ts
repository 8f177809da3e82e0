import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startIssuer } from '../sandbox/issuer.ts'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { deploy, type Drill, expect, pause, statuses } from './deployment.ts'
import { startLoad } from './load.ts'

const USERS = 24
const CALLERS = 4
/** Each way to change the file, as often. */
const ROUNDS = 4

/** Every read needs a refresh, and every refresh needs the token in the file, which changes all the time. */
export const federation: Drill = {
  name: 'the federated token is replaced, half written and removed, under load',
  async run(options) {
    const folder = temporaryFolder('token-broker-federation')
    const file = join(folder, 'token')
    const issuer = await startIssuer()
    const replace = () => {
      writeFileSync(`${file}.new`, issuer.token())
      renameSync(`${file}.new`, file)
    }
    replace()
    const deployment = await deploy({
      ...options,
      env: { ...options?.env, MICROSOFT_CLIENT_SECRET: '', MICROSOFT_FEDERATED_TOKEN_FILE: file },
      entra: { clientSecrets: [], federatedCredentials: [issuer.credential] },
    })
    try {
      const brokers = await Promise.all([deployment.start(), deployment.start()])
      const users = await deployment.users('federated', USERS)
      let expiring = true
      const expire = (async () => {
        while (expiring) {
          await deployment.setRemaining(users, -60)
          await pause(50)
        }
      })()
      const clients = brokers.map((broker) => deployment.client(() => broker.internalUrl))
      const load = startLoad(CALLERS, users, (caller) => clients[caller % clients.length]!)
      const changes: (() => void)[] = [
        replace,
        () => writeFileSync(file, issuer.token()),
        () => writeFileSync(file, ''),
        () => writeFileSync(file, issuer.token().slice(0, 500)),
        () => writeFileSync(file, issuer.token().slice(0, -10)),
        () => rmSync(file, { force: true }),
        () => {
          issuer.rollKey()
          replace()
        },
      ]
      for (let round = 0; round < ROUNDS; round++) {
        for (const change of changes) {
          change()
          await pause(150)
        }
      }
      await load.stop()
      expiring = false
      await expire
      const counted = statuses(load.answers.map(({ answer }) => answer))
      const failed = load.answers.filter(({ answer }) => answer.status !== 200 || answer.body.degraded)
      expect(failed.length === 0, `${failed.length} reads failed: ${counted}`)
      const { total, byOutcome } = deployment.entra.control.tokenRequests()
      expect(byOutcome['tokens'] === total, `Microsoft refused a token: ${JSON.stringify(byOutcome)}`)
      const opened = brokers.filter((broker) => broker.log().includes('breaker opened')).length
      expect(opened === 0, 'a breaker opened')
      expect((await deployment.marked()) === 0, 'a user had to reconnect')
      return `${load.answers.length} reads (${counted}), ${total} refreshes, ${ROUNDS * changes.length} changes of the file: 0 failures`
    } finally {
      await deployment.close()
      await issuer.close()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
