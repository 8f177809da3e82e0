import t from 'tap'
import { REASONS, type Reason } from '../../../src/core/failure.ts'
import { accountKind } from '../../../src/core/integration.ts'
import {
  accountPage,
  CONFIRM_DISCONNECT_URL,
  CSRF_FIELD,
  DISCONNECT_PATH,
  disconnectConfirmationPage,
  disconnectedPage,
  continuePage,
  forTenant,
  LANGUAGES,
  problemPage,
  resultPage,
} from '../../../src/http/pages/pages.ts'
import { texts } from '../../../src/texts/texts.ts'
import { read, type Tag } from './markup.ts'
import {
  accountOf,
  ADMIN_CONSENT_REFUSALS,
  allPages,
  brokenOf,
  contextOf,
  microsoftOf,
  NOW,
  PROBLEM_NAMES,
  REASON_NAMES,
  refusedOf,
  summaryOf,
  values,
} from './samples.ts'

const context = contextOf('en')
const state = { missingScopes: [], now: NOW }
const textOf = (page: string): string => read(page).find((tag) => tag.name === 'body')?.text ?? ''
const buttonsOf = (page: string): Tag[] =>
  read(page).filter(({ attributes }) => attributes.class?.split(' ').includes('button'))
const linksOf = (page: string): Tag[] => read(page).filter((tag) => tag.name === 'a')
const offersConnect = (page: string): boolean =>
  linksOf(page).some(({ attributes }) => attributes.href === values.connect)

t.test('every reason and every problem has words of its own in both languages', async (t) => {
  for (const kind of ['reasons', 'problems'] as const) {
    for (const [name, english] of Object.entries(texts.en[kind])) {
      const german = (texts.de[kind] as typeof texts.de.reasons)[name as Reason]
      for (const part of ['title', 'happened', 'todo'] as const) {
        t.ok(english[part].length > 5 && german[part].length > 5, `${name} ${part}`)
        t.not(english[part], german[part], `${name} ${part} is translated`)
        t.match(english[part], part === 'title' ? /[^.]$/ : /\.$/, `${name} ${part} ends as it should`)
        t.match(german[part], part === 'title' ? /[^.]$/ : /\.$/, `${name} ${part} ends as it should`)
      }
    }
  }
})

t.test(
  'an account that needs attention says why, since when, who acts, whether reconnecting helps, and where to look',
  async (t) => {
    for (const language of LANGUAGES) {
      const words = texts[language]
      for (const reason of REASON_NAMES) {
        const page = accountPage(contextOf(language), { ...state, summary: brokenOf(reason) })
        const text = textOf(page)
        for (const part of Object.values(words.reasons[reason]))
          t.ok(text.includes(part), `${language} ${reason}: ${part}`)
        t.ok(text.includes(words.whoActs) && text.includes(words.account.attention.since), `${reason}: who, since`)
        t.ok(
          Object.values(words.cure).some((cure) => text.includes(cure)),
          `${reason}: cure`,
        )
        t.ok(
          linksOf(page).some(({ attributes }) => attributes.href === 'https://myapps.microsoft.com'),
          `${reason}: where to look`,
        )
      }
    }
  },
)

t.test('connecting again is offered for a stored connection exactly where the user can help', async (t) => {
  for (const language of LANGUAGES) {
    const words = texts[language]
    for (const reason of REASON_NAMES) {
      const { whoActs } = REASONS[reason]
      const page = accountPage(contextOf(language), { ...state, summary: brokenOf(reason) })
      // The user may sign in on another device.
      t.equal(offersConnect(page), whoActs === 'user' || reason === 'device_not_compliant', `${language} ${reason}`)
      const text = textOf(page)
      const recovers = whoActs === 'tenant_admin' || whoActs === 'ops'
      t.equal(text.includes(words.cure.recovers), recovers, `${language} ${reason}: when it works again`)
      if (whoActs !== 'user') {
        t.ok(text.includes(words.actors[whoActs]), `${language} ${reason}: who can help`)
        t.notOk(text.includes(words.cure.yes), `${language} ${reason}`)
      }
      if (whoActs === 'tenant_admin')
        t.ok(page.includes('<textarea') && text.includes(words.adminMessage.title), `${reason}: the message to send`)
    }
  }
})

t.test(
  'after a refused connect, another try is offered where the user can help, and where the trouble may pass',
  async (t) => {
    const mayPass = ['identity_unproven', 'microsoft_bad_answer', 'loop_detected', 'broker_trouble']
    const wayAround = ['device_not_compliant', 'account_not_found']
    for (const reason of REASON_NAMES) {
      const { whoActs } = REASONS[reason]
      const page = resultPage(context, refusedOf(reason))
      t.equal(
        offersConnect(page),
        whoActs === 'user' || whoActs === 'nobody' || mayPass.includes(reason) || wayAround.includes(reason),
        reason,
      )
      if (whoActs === 'tenant_admin') {
        t.ok(page.includes('<textarea'), `${reason}: the message to send`)
        t.ok(textOf(page).includes(texts.en.actors.tenant_admin), `${reason}: who can help`)
      }
      const text = textOf(page)
      t.notOk(/by ourselves|without your help/.test(text), `${reason}: nobody repeats a connect but the user`)
    }
  },
)

t.test('the result of a connect during a freeze does not say that nobody has to connect again', async (t) => {
  for (const language of LANGUAGES)
    for (const reason of ['user_frozen', 'tenant_frozen', 'caller_key_frozen'] as const) {
      const text = textOf(resultPage(contextOf(language), refusedOf(reason)))
      t.ok(text.includes(texts[language].result.whilePaused), `${language} ${reason}`)
      t.notOk(text.includes(texts[language].reasons[reason].todo), `${language} ${reason}`)
    }
})

t.test('an answer that is not from Microsoft: try again later, and ops if it stays so', async (t) => {
  for (const language of LANGUAGES) {
    const page = resultPage(contextOf(language), refusedOf('microsoft_bad_answer'))
    const text = textOf(page)
    t.ok(text.includes(texts[language].actors.ops))
    t.match(text, language === 'en' ? /Try again later/ : /später noch einmal/)
    t.same(
      buttonsOf(page).map((one) => one.text),
      [texts[language].actions.tryAgain],
    )
  }
  t.match(REASONS.microsoft_bad_answer.advice, /ops must look at the proxy or filter/, 'callers read where to look')
})

t.test('the result of an approval says who must act, and our own fault is not called a refusal', async (t) => {
  for (const language of LANGUAGES) {
    const words = texts[language]
    for (const [name, { whoActs }] of Object.entries(ADMIN_CONSENT_REFUSALS)) {
      const page = allPages(language)[`admin-consent-${name}`]!
      const text = textOf(page)
      t.ok(text.includes(words.actors[whoActs]), `${language} ${name}: who`)
      t.equal(text.includes(words.adminConsent.refusedTitle), whoActs === 'tenant_admin', `${language} ${name}: title`)
      t.equal(page.includes('<textarea'), whoActs === 'tenant_admin', `${language} ${name}: the message`)
      const again = linksOf(page).some(({ attributes }) => attributes.href === values.adminConsentUrl)
      t.equal(again, whoActs !== 'ops', `${language} ${name}: another try`)
      t.notMatch(page, values.error, `${language} ${name}: no word of Microsoft`)
    }
    const shown = (name: string) => textOf(allPages(language)[`admin-consent-${name}`]!)
    t.ok(shown('refused').includes(words.adminConsent.refusedText))
    t.ok(shown('refused-declined').includes(words.adminConsent.declinedText))
    t.ok(shown('refused-no-right').includes(words.adminConsent.noRightText))
    t.ok(shown('refused-wrong-account').includes(words.reasons.account_not_found.happened))
    t.ok(shown('refused-broken').includes(words.adminConsent.brokenTitle))
    t.ok(shown('refused-trouble').includes(words.reasons.microsoft_error.title))
  }
})

t.test("links for the administrator name the user's tenant where it is known", async (t) => {
  const named = `${values.adminConsentUrl}?tenant=${values.tenantId}`
  t.ok(textOf(accountPage(context, { ...state, summary: brokenOf('admin_consent_required') })).includes(named))
  t.ok(textOf(resultPage(forTenant(context, values.tenantId.toUpperCase()), refusedOf('not_approved'))).includes(named))
  const nobodys = [
    '9188040D-6c67-4c5b-b112-36a304b66dad',
    `${values.tenantId}0`,
    ` ${values.tenantId}`,
    'contoso.com',
    '',
  ]
  for (const tenantId of [...nobodys, undefined])
    t.equal(forTenant(context, tenantId).app.adminConsentUrl, values.adminConsentUrl, String(tenantId))
})

t.test('what is our own fault shows a reference and nothing of what Microsoft said', async (t) => {
  for (const reason of REASON_NAMES.filter((reason) => REASONS[reason].whoActs === 'ops')) {
    for (const page of [
      resultPage(context, refusedOf(reason)),
      accountPage(context, { ...state, summary: brokenOf(reason) }),
    ]) {
      t.notMatch(page, /AADSTS|invalid_grant/, reason)
      t.ok(page.includes(values.referenceId), reason)
    }
  }
})

t.test(
  'an account is named in full only to its owner: on their account page, before they disconnect, and once connected',
  async (t) => {
    const mayName = /^(?:account-|attention-|disconnect-confirm|result-connected$|result-reconnected$)/
    const secret = [values.username, values.displayName, values.otherUsername, values.objectId]
    for (const language of LANGUAGES) {
      for (const [name, page] of Object.entries(allPages(language))) {
        if (!mayName.test(name))
          t.notOk(
            secret.some((value) => page.includes(value)),
            name,
          )
      }
    }
    t.match(
      textOf(resultPage(context, { result: 'connected', account: accountOf() })),
      /connected as Jane Doe jane\.doe@contoso\.com/,
    )
  },
)

t.test(
  'another account than the connected one: both are shown masked, and where they look alike it is said',
  async (t) => {
    const outcome = { ...refusedOf('other_account'), code: 'account_mismatch' as const }
    const page = textOf(
      resultPage(context, { ...outcome, expectedAccount: { ...accountOf(), username: values.otherUsername } }),
    )
    t.match(page, 'j•••@fabrikam.example')
    t.match(page, 'j•••@contoso.com')
    t.notMatch(page, texts.en.result.lookAlike)
    const alike = textOf(
      resultPage(context, { ...outcome, expectedAccount: { ...accountOf(), username: 'john@contoso.com' } }),
    )
    t.match(alike, texts.en.result.lookAlike)
    const { username: _, ...nameless } = accountOf()
    t.match(
      textOf(resultPage(context, { ...outcome, account: nameless })),
      texts.en.reasons.other_account.title,
      'names unknown',
    )
  },
)

t.test(
  'where something must be done one button is meant; it is the mail where the administrator acts first',
  async (t) => {
    for (const language of LANGUAGES) {
      for (const [name, page] of Object.entries(allPages(language))) {
        if (!/^(?:attention|result|account-attention|problem)-/.test(name) || /^result-(?:re)?connected$/.test(name))
          continue
        const primary = buttonsOf(page).filter(({ attributes }) => attributes.class === 'button')
        t.equal(primary.length, 1, `${language} ${name}: ${primary.map(({ text }) => text).join(', ')}`)
        const reason = name.replace(/^\w+-/, '') as Reason
        const isAdmins = Object.hasOwn(REASONS, reason) && REASONS[reason].whoActs === 'tenant_admin'
        t.equal(primary[0]?.attributes.href?.startsWith('mailto:'), isAdmins, `${language} ${name}`)
      }
    }
  },
)

t.test(
  'not approved is never called a cancel: both readings stand there, with the message for the administrator',
  async (t) => {
    for (const language of LANGUAGES) {
      const page = textOf(resultPage(contextOf(language), refusedOf('not_approved')))
      t.notMatch(page, /cancel|abgebrochen/i)
      const { declined, adminNeeded } = texts[language].result
      for (const part of [declined, adminNeeded]) t.ok(page.includes(part.title) && page.includes(part.text))
      t.ok(page.includes(texts[language].adminMessage.title))
    }
  },
)

t.test(
  'the account page before connecting: what it does, both permissions in words, the password is never stored, one button',
  async (t) => {
    const page = accountPage(context, state)
    const text = textOf(page)
    for (const part of [
      'Not connected',
      'Read your profile information',
      'User.Read',
      'Read and write your M365 files',
      'Files.ReadWrite.All',
      'never see or store your password',
    ])
      t.match(text, part)
    t.equal(linksOf(page).find(({ attributes }) => attributes.href === values.connect)?.text, 'Connect to Microsoft')
    const german = textOf(accountPage(contextOf('de'), state))
    t.match(german, 'Ihre M365-Dateien lesen und schreiben')
  },
)

t.test(
  'the account page, connected: account, since when, last refreshed, what is granted and what is missing',
  async (t) => {
    const text = textOf(
      accountPage(context, { ...state, summary: summaryOf(), missingScopes: ['files.readwrite.all'] }),
    )
    for (const part of [
      'jane.doe@contoso.com',
      '3 months ago',
      '3 minutes ago',
      'User.Read · Granted',
      'Files.ReadWrite.All · Not granted yet',
      'needs more permissions',
    ])
      t.match(text, part)
    t.notMatch(textOf(accountPage(context, { ...state, summary: summaryOf() })), /Not granted|more permissions/)
  },
)

t.test('a temporary failure is shown calmly: still connected, and nothing to do', async (t) => {
  const failure = {
    verdict: 'try_later' as const,
    reason: 'throttled' as const,
    final: false,
    microsoft: microsoftOf(),
  }
  const text = textOf(accountPage(context, { ...state, summary: { ...summaryOf(), failure } }))
  t.match(text, /Connected[^]*slow down[^]*in order[^]*do not have to do anything/)
})

t.test('sent to Microsoft and not finished: since when, and how to start again', async (t) => {
  const page = accountPage(context, { ...state, pending: { since: '2026-11-22T09:48:00Z' } })
  t.match(textOf(page), /Not finished[^]*12 minutes ago/)
  t.ok(linksOf(page).some(({ text, attributes }) => text === 'Start again' && attributes.href === values.connect))
})

t.test(
  'disconnecting is asked first, by a form with the token; the account page itself only links there',
  async (t) => {
    const page = read(disconnectConfirmationPage(context, { account: accountOf(), csrfToken: values.csrfToken }))
    const form = page.find((tag) => tag.name === 'form')
    t.match(form?.attributes, { method: 'post', action: DISCONNECT_PATH })
    t.match(page.find((tag) => tag.name === 'input')?.attributes, {
      type: 'hidden',
      name: CSRF_FIELD,
      value: values.csrfToken,
    })
    const account = accountPage(context, { ...state, summary: summaryOf() })
    t.notMatch(account, '<form')
    t.ok(linksOf(account).some(({ attributes }) => attributes.href === CONFIRM_DISCONNECT_URL))
  },
)

t.test('where consent is withdrawn depends on the account: work, personal, or both when unknown', async (t) => {
  const targets = (tenantId?: string): (string | undefined)[] => {
    return linksOf(disconnectedPage(context, { kind: accountKind(tenantId) }))
      .map(({ attributes }) => attributes.href)
      .filter((href) => href?.includes('microsoft.com') || href?.includes('live.com'))
  }
  t.same(targets(values.tenantId), ['https://myapps.microsoft.com'])
  t.same(targets('9188040D-6c67-4c5b-b112-36a304b66dad'), ['https://account.live.com/consent/Manage'])
  t.equal(targets().length, 2)
})

t.test('the page goes on at once without a click, and has a link', async (t) => {
  const page = continuePage(context, `${values.goingTo}&x="y`)
  t.equal(
    read(page).find((tag) => tag.attributes['http-equiv'] === 'refresh')?.attributes.content,
    `0; url=${values.goingTo}&x="y`,
  )
  t.ok(linksOf(page).some(({ attributes }) => attributes.href === `${values.goingTo}&x="y`))
})

t.test('plain HTTP is named with the header that is missing, and no other page speaks of headers', async (t) => {
  for (const problem of PROBLEM_NAMES) {
    t.equal(problemPage(context, problem).includes('X-Forwarded-Proto: https'), problem === 'plain_http', problem)
  }
})
