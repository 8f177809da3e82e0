import { describe, expect, type Step } from './check-step.ts'
import { connect, logIn } from './driver.ts'
import { findSecrets, secretsSeen } from './log-search.ts'
import { BrokerProblem } from './megdocs/broker-client.ts'

// Steps of the check: the account page, disconnecting, stopping, and a search for secrets in the logs.

const ACCOUNT_PAGE = '/accounts/account/microsoft/'

const problemOf = (error: unknown): string =>
  error instanceof BrokerProblem ? `${error.problem.status} ${error.problem.code}` : String(error)

export const lastSteps: Step[] = [
  {
    name: 'the account page shows the connected account and its permissions',
    async run({ world, jane }) {
      const page = await jane.browser.open(`${world.url}/microsoft/manage`)
      const words = ['jane@contoso.com', 'Read your profile information', 'Read and write your M365 files']
      for (const word of words) expect(page.text.includes(word), `no "${word}": ${describe(page)}`)
      expect(new URL(page.url).pathname === ACCOUNT_PAGE, describe(page))
      return `"${page.title}" with account and both permissions`
    },
  },
  {
    name: 'disconnecting asks for confirmation; after it MEGDocs gets not_connected',
    async run({ world, jane }) {
      const account = await jane.browser.open(`${world.url}/microsoft/manage`)
      const question = await jane.browser.click(account, 'Disconnect')
      const done = await jane.browser.press(question, 'Disconnect')
      const answer = await world.client.token('u-1001').then(() => 'a token', problemOf)
      expect(answer === '404 not_connected', `${answer}; ${describe(done)}`)
      return `"${question.title}", "${done.title}", ${answer}`
    },
  },
  {
    name: 'connecting again works, also with another account',
    async run(course) {
      const person = course.with(await logIn(course.world, 'u-1001'))
      const page = await connect(course.world, person, 'lena')
      expect(page.text.includes('lena@fabrikam.com'), describe(page))
      return `"${page.title}" as lena@fabrikam.com`
    },
  },
  {
    name: 'after logging out of MEGDocs, this browser cannot open the account page',
    async run({ world, jane }) {
      const before = await jane.browser.open(`${world.url}/microsoft/manage`)
      expect(before.text.includes('lena@fabrikam.com'), describe(before))
      await jane.browser.press(await jane.browser.open(`${world.url}/`), '/logout')
      const after = await jane.browser.open(world.url + ACCOUNT_PAGE)
      expect(!after.text.includes('lena@fabrikam.com'), describe(after))
      return `"${after.title}"`
    },
  },
  {
    name: 'a broker that is stopped during a refresh finishes and saves it',
    async run(course) {
      const { world } = course
      const before = await world.client.token('u-1001')
      course.tokens.push(before.access_token)
      await world.query(
        `update oauth2_integration set access_token_expires_at = now() - interval '1 second' where user_id = 'u-1001'`,
      )
      world.entra.control.hold()
      const waiting = world.client.token('u-1001').then(({ access_token: token, generation }) => {
        course.tokens.push(token)
        return `the caller got generation ${generation}`
      }, problemOf)
      await world.entra.control.held(1)
      const ended = world.broker().stop('SIGTERM')
      world.entra.control.release()
      const code = await ended
      const [row] = await world.query(
        `select generation, access_token_expires_at > now() as valid, lease_owner
          from oauth2_integration where user_id = 'u-1001'`,
      )
      expect(code === 0, `exit code ${code}`)
      const stored = Number(row?.['generation'])
      expect(stored > before.generation && row?.['valid'] === true, `stored: ${JSON.stringify(row)}; ${await waiting}`)
      const calls = world.entra.control.tokenRequests().total
      await world.startBroker()
      const after = await world.client.token('u-1001')
      course.tokens.push(after.access_token)
      expect(after.generation === stored, `stored ${stored}, served ${after.generation}`)
      expect(world.entra.control.tokenRequests().total === calls, 'the next broker asked Microsoft again')
      const change = `generation ${before.generation} → ${after.generation}`
      return `exit code 0, ${change} stored and served by the next broker; ${await waiting}`
    },
  },
  {
    name: 'no token, code, secret or cookie is in any log',
    async run(course) {
      const { world } = course
      const log = `${world.brokerLogs()}\n${world.database.log()}`
      const secrets = [...world.secrets, ...course.tokens, ...secretsSeen(course.exchanges())]
      const found = findSecrets(log, secrets)
      expect(found.length === 0, `found ${found.join(', ')}`)
      return `searched ${log.split('\n').length} lines for ${new Set(secrets).size} values and for the form of tokens`
    },
  },
]
