import { describe, expect, latestOutcome, type Step } from './check-step.ts'
import { connect, goToMicrosoft, logIn, microsoftPage, throughMicrosoft } from './driver.ts'

// Steps of the check: connecting, with and without success.

export const connectSteps: Step[] = [
  {
    name: 'a user logs in to MEGDocs and is offered to connect',
    async run(course) {
      course.jane = course.with(await logIn(course.world, 'u-1001'))
      const { home } = course.jane
      expect(home.text.includes('Connect to Microsoft'), describe(home))
      return `"${home.title}"`
    },
  },
  {
    name: 'the button opens Microsoft with state, nonce, PKCE and exactly our permissions',
    async run({ world, jane }) {
      const page = await goToMicrosoft(world, jane)
      expect(microsoftPage(world, page) === 'picker', describe(page))
      const query = new URL(page.url).searchParams
      const wanted = 'Files.ReadWrite.All User.Read offline_access openid profile'
      expect(query.get('scope')?.split(' ').sort().join(' ') === wanted, `scope ${query.get('scope')}`)
      expect(
        query.get('redirect_uri') === `${world.url}/auth/oauth2/microsoft/callback`,
        `redirect_uri ${query.get('redirect_uri')}`,
      )
      expect(
        query.get('code_challenge_method') === 'S256' && query.get('code_challenge')?.length === 43,
        'no PKCE S256',
      )
      expect(
        /^[\w-]{43}$/.test(query.get('state') ?? '') && (query.get('nonce')?.length ?? 0) >= 22,
        'state or nonce is weak',
      )
      expect(query.get('prompt') === 'select_account', `prompt ${query.get('prompt')}`)
      return 'account picker, scope, redirect URI, S256, select_account'
    },
  },
  {
    name: 'signing in and approving ends on a page that names the connected account',
    async run({ world, jane }) {
      const page = await connect(world, jane, 'jane')
      expect(page.status === 200 && page.text.includes('jane@contoso.com'), describe(page))
      expect(page.url.startsWith(`${world.url}/auth/oauth2/microsoft/`), describe(page))
      const home = await jane.browser.open(`${world.url}/`)
      expect(home.text.includes('Connected as jane@contoso.com'), describe(home))
      return `"${page.title}"`
    },
  },
  {
    name: 'what a user approved for another login ends when they arrive, and that login gets nothing',
    async run(course) {
      const { world, jane } = course
      const stopBefore = (url: string) => url.includes('/auth/oauth2/microsoft/connect/')
      const alex = course.with(await logIn(world, 'u-1003', { stopBefore }))
      const sent = (await goToMicrosoft(world, alex)).refresh ?? ''
      // An earlier step has left a sign-in of jane at Microsoft, so she is asked first.
      const asked = await jane.browser.open(sent)
      expect(asked.status === 409, describe(asked))
      const opened = await jane.browser.click(asked, 'Continue with this link')
      const page = await throughMicrosoft(world, jane, opened, 'jane')
      expect(page.status === 403 && page.url.includes('handle='), describe(page))
      const how = await latestOutcome(course, 'u-1003')
      expect(how === 'refused connect_refused not_the_same_user', how)
      const leaked = await alex.browser.open(page.url)
      expect(leaked.text.includes('Somebody else started this'), describe(leaked))
      expect((await world.client.integration('u-1003')) === undefined, 'u-1003 is connected')
      return `403 "${page.title}"; ${how}`
    },
  },
  {
    name: 'cancelling at Microsoft ends on a page with a next step, and MEGDocs can read the outcome',
    async run(course) {
      const { world } = course
      const sam = course.with(await logIn(world, 'u-1002'))
      const page = await connect(world, sam, 'omar', 'cancel')
      const nextStep = page.links.some(({ href }) => href.includes('/microsoft/connect'))
      expect(page.url.startsWith(world.url) && page.status < 500 && nextStep, describe(page))
      const how = await latestOutcome(course, 'u-1002')
      expect(how.startsWith('refused') && how.includes('not_approved'), how)
      return `"${page.title}"; ${how}`
    },
  },
  {
    name: 'an account that needs its administrator gets a message for the administrator',
    async run(course) {
      const { world } = course
      const kim = course.with(await logIn(world, 'u-1004'))
      const page = await connect(world, kim, 'nora')
      expect(page.url.startsWith(world.url) && /administrator/i.test(page.text), describe(page))
      const mail = page.links.find(({ href }) => href.startsWith('mailto:?'))
      expect(mail, `there is no mailto: link: ${describe(page)}`)
      return `"${page.title}" with a mailto: link`
    },
  },
  {
    name: 'another Microsoft account on reconnect is refused',
    async run(course) {
      const { world } = course
      const again = course.with(await logIn(world, 'u-1001'))
      const page = await connect(world, again, 'omar')
      const how = await latestOutcome(course, 'u-1001')
      expect(how.includes('account_mismatch'), `${how}; ${describe(page)}`)
      const integration = await world.client.integration('u-1001')
      expect(
        integration?.account?.username === 'jane@contoso.com',
        `the stored account is ${integration?.account?.username}`,
      )
      return `"${page.title}"; still jane@contoso.com`
    },
  },
  {
    name: 'two tabs do not disturb each other, even if the later one returns first',
    async run(course) {
      const { world } = course
      const sam = course.with(await logIn(world, 'u-1002'))
      const [one, two] = [await goToMicrosoft(world, sam), await goToMicrosoft(world, sam)]
      const second = await throughMicrosoft(world, sam, two, 'omar')
      const first = await throughMicrosoft(world, sam, one, 'omar')
      for (const page of [second, first])
        expect(page.status === 200 && page.text.includes('omar@contoso.com'), describe(page))
      return `"${second.title}", then "${first.title}"`
    },
  },
]
