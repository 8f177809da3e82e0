import t from 'tap'
import { REASONS, type Reason } from '../../../src/core/failure.ts'
import { accountKind } from '../../../src/core/integration.ts'
import {
  accountPage,
  adminConsentPage,
  adminConsentResultPage,
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
import { ofEachLanguage, texts } from '../../../src/texts/texts.ts'
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
const pages = ofEachLanguage((language) => allPages(language))
const state = { missingScopes: [], now: NOW }
const textOf = (page: string): string => read(page).find((tag) => tag.name === 'body')?.text ?? ''
const buttonsOf = (page: string): Tag[] =>
  read(page).filter(({ attributes }) => attributes.class?.split(' ').includes('button'))
const linksOf = (page: string): Tag[] => read(page).filter((tag) => tag.name === 'a')
const offersConnect = (page: string): boolean =>
  linksOf(page).some(({ attributes }) => attributes.href === values.connect)

/** The buttons of a page: the filled one first, as Microsoft, mail programs or we name what they do. */
const filledOf = (page: string): Tag[] =>
  buttonsOf(page).filter(({ attributes }) => !attributes.class?.split(' ').includes('second'))
const isMail = (tag: Tag | undefined): boolean => tag?.attributes.href?.startsWith('mailto:?') ?? false

t.test('an account that does not work says why, since when and what to do', async (t) => {
  for (const language of LANGUAGES) {
    const words = texts[language]
    for (const reason of REASON_NAMES) {
      const page = accountPage(contextOf(language), { ...state, summary: brokenOf(reason) })
      const text = textOf(page)
      for (const part of Object.values(words.reasons[reason]))
        t.ok(text.includes(part), `${language} ${reason}: ${part}`)
      t.ok(text.includes(words.account.attention.since), `${language} ${reason}: since`)
    }
  }
})

t.test('who can fix it is said where it is somebody else; for support, with how to reach it', async (t) => {
  for (const language of LANGUAGES) {
    const words = texts[language]
    for (const reason of REASON_NAMES) {
      const { whoActs } = REASONS[reason]
      const result = resultPage(contextOf(language), refusedOf(reason))
      for (const page of [accountPage(contextOf(language), { ...state, summary: brokenOf(reason) }), result]) {
        const text = textOf(page)
        const isMine = page === result && filledOf(page)[0]?.attributes.href === values.connect
        const elsewhere = (whoActs === 'tenant_admin' || whoActs === 'ops') && !isMine
        t.equal(text.includes(words.whoActs), elsewhere, `${language} ${reason}`)
        if (!elsewhere) continue
        if (whoActs === 'tenant_admin') t.ok(text.includes(words.actors.tenant_admin), `${language} ${reason}`)
        if (whoActs === 'ops') t.ok(text.includes(`${words.actors.ops}: ${values.support}`), `${language} ${reason}`)
      }
    }
  }
})

t.test('that somebody may have withdrawn the access is asked only where it may be so', async (t) => {
  for (const reason of REASON_NAMES) {
    const page = accountPage(context, { ...state, summary: brokenOf(reason) })
    const asked = ['access_revoked', 'consent_required', 'token_invalid'].includes(reason)
    t.equal(textOf(page).includes(texts.en.account.attention.withdrawn), asked, reason)
    t.equal(
      linksOf(page).some(({ attributes }) => attributes.href === 'https://myapps.microsoft.com'),
      asked,
      reason,
    )
  }
})

t.test('connecting again is offered for a stored connection exactly where it can help', async (t) => {
  // On another device, with another account, or when the user declined and can now accept.
  const also = ['device_not_compliant', 'other_cloud']
  for (const language of LANGUAGES) {
    const words = texts[language]
    for (const reason of REASON_NAMES) {
      const { whoActs } = REASONS[reason]
      const page = accountPage(contextOf(language), { ...state, summary: brokenOf(reason) })
      const offered = (whoActs === 'user' && reason !== 'other_account') || also.includes(reason)
      t.equal(offersConnect(page), offered, `${language} ${reason}`)
      const recovers = whoActs === 'tenant_admin' || whoActs === 'ops'
      const frozen = reason.endsWith('_frozen')
      t.equal(
        textOf(page).includes(words.cure.recovers),
        recovers && !frozen && !offered,
        `${language} ${reason}: when it works again`,
      )
      // A lock passes by itself: waiting comes first.
      if (whoActs === 'tenant_admin' && reason !== 'account_locked')
        t.ok(isMail(filledOf(page)[0]), `${language} ${reason}: the message is the main step`)
    }
  }
})

t.test('after a refused connect, the first step is what most people should do', async (t) => {
  const CONNECT = values.connect
  const firstOf: Partial<Record<Reason, string>> = {
    not_approved: 'mail',
    account_not_found: CONNECT,
    account_locked: CONNECT,
    other_account: 'https://audits.example.com/',
    connect_in_progress: values.manage,
    identity_unproven: CONNECT,
    microsoft_bad_answer: CONNECT,
    loop_detected: CONNECT,
    broker_trouble: CONNECT,
  }
  const byActor = { user: CONNECT, nobody: CONNECT, tenant_admin: 'mail', ops: 'support' }
  for (const language of LANGUAGES) {
    for (const reason of REASON_NAMES) {
      const page = resultPage(contextOf(language), refusedOf(reason))
      const [first] = filledOf(page)
      const href = first?.attributes.href ?? ''
      const found = isMail(first) ? 'mail' : href.startsWith('mailto:support@') ? 'support' : href
      t.equal(found, firstOf[reason] ?? byActor[REASONS[reason].whoActs], `${language} ${reason}`)
      t.notMatch(
        textOf(page),
        new RegExp(`${texts[language].cure.recovers}|${texts[language].account.attention.passingTodo}`),
        `${language} ${reason}: nobody repeats a connect but the user`,
      )
    }
  }
})

t.test('no button after a refused connect offers what cannot help', async (t) => {
  // The same device, the same rule, our own fault: the next attempt would end in the same way.
  for (const reason of [
    'device_not_compliant',
    'blocked_by_policy',
    'admin_consent_required',
    'not_assigned',
    'account_disabled',
    'app_unavailable',
    'tenant_unavailable',
    'tenant_restricted',
    'client_credential',
    'app_registration',
    'user_frozen',
    'connect_in_progress',
  ] as const)
    t.notOk(offersConnect(resultPage(context, refusedOf(reason))), reason)
})

t.test('without a contact of support that can be opened, going back to MEGDocs is the main step', async (t) => {
  const text = { kind: 'text', value: 'Station 4, ext. 112' } as const
  for (const people of [{}, { support: text }]) {
    const page = resultPage({ ...context, people }, refusedOf('client_credential'))
    t.same(
      buttonsOf(page).map(({ text }) => text),
      [texts.en.actions.backToMegdocs],
    )
    t.equal(textOf(page).includes(text.value), 'support' in people)
  }
  const page = resultPage(
    contextOf('en', values, { kind: 'page', value: 'https://help.contoso.com/' }),
    refusedOf('client_credential'),
  )
  t.match(filledOf(page)[0], {
    text: texts.en.actions.contactSupport,
    attributes: { href: 'https://help.contoso.com/' },
  })
})

t.test('every page names support beside the reference; a mail to it has the reference in its subject', async (t) => {
  for (const language of LANGUAGES) {
    for (const [name, page] of Object.entries(pages[language])) {
      const footer = read(page).find((tag) => tag.name === 'footer')?.text ?? ''
      t.ok(footer.includes(`${texts[language].support}: ${values.support}`), `${language} ${name}`)
    }
  }
  const link = linksOf(problemPage(context, 'not_found')).find(({ text }) => text === values.support)
  t.equal(
    link?.attributes.href,
    `mailto:${values.support}?subject=${encodeURIComponent(`MEGDocs, reference ${values.referenceId}`)}`,
  )
})

t.test('the result of a connect during a freeze does not say that nobody has to connect again', async (t) => {
  for (const language of LANGUAGES)
    for (const reason of ['user_frozen', 'tenant_frozen', 'caller_key_frozen'] as const) {
      const text = textOf(resultPage(contextOf(language), refusedOf(reason)))
      t.ok(text.includes(texts[language].result.whilePaused), `${language} ${reason}`)
      t.notOk(text.includes(texts[language].reasons[reason].todo), `${language} ${reason}`)
    }
})

t.test('after trouble of ours that may pass: connect again, and support if it happens again', async (t) => {
  for (const language of LANGUAGES) {
    const page = resultPage(contextOf(language), refusedOf('microsoft_bad_answer'))
    const words = texts[language]
    t.ok(textOf(page).includes(words.result.retryOrSupport))
    t.same(
      buttonsOf(page).map((one) => one.text),
      [words.actions.connectAgain, words.actions.contactSupport],
    )
  }
  t.match(REASONS.microsoft_bad_answer.advice, /ops must look at the proxy or filter/, 'callers read where to look')
})

t.test('the result of an approval says who must act, and our own fault is not called a refusal', async (t) => {
  for (const language of LANGUAGES) {
    const words = texts[language]
    for (const [name, { whoActs }] of Object.entries(ADMIN_CONSENT_REFUSALS)) {
      const page = pages[language][`admin-consent-${name}`]!
      const text = textOf(page)
      t.equal(text.includes(words.whoActs), whoActs === 'ops', `${language} ${name}: who`)
      t.equal(text.includes(words.adminConsent.refusedTitle), whoActs === 'tenant_admin', `${language} ${name}: title`)
      t.equal(page.includes('<textarea'), whoActs === 'tenant_admin', `${language} ${name}: the message`)
      const again = linksOf(page).some(({ attributes }) => attributes.href === values.adminConsentUrl)
      t.equal(again, whoActs !== 'ops', `${language} ${name}: another try`)
      t.notMatch(page, values.error, `${language} ${name}: no word of Microsoft`)
    }
    const shown = (name: string) => textOf(pages[language][`admin-consent-${name}`]!)
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
      for (const [name, page] of Object.entries(pages[language])) {
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

t.test('every page has exactly one filled button, and all its words are in the list of actions', async (t) => {
  for (const language of LANGUAGES) {
    const actions: readonly string[] = Object.values(texts[language].actions)
    for (const [name, page] of Object.entries(pages[language])) {
      const filled = filledOf(page).map(({ text }) => text)
      t.equal(filled.length, 1, `${language} ${name}: ${filled.join(', ')}`)
      t.same(
        buttonsOf(page)
          .map(({ text }) => text)
          .filter((text) => !actions.includes(text)),
        [],
        `${language} ${name}`,
      )
      t.ok(
        buttonsOf(page)[0]
          ?.attributes.class?.split(' ')
          .every((one) => one !== 'second'),
        `${language} ${name}: the first is the filled one`,
      )
    }
  }
})

t.test('not approved: three readings, and the message to the administrator is the main step', async (t) => {
  for (const language of LANGUAGES) {
    const words = texts[language]
    const page = resultPage(contextOf(language), refusedOf('not_approved'))
    const text = textOf(page)
    const { adminNeeded, requestSent, declined } = words.result.readings
    const places = [adminNeeded, requestSent, declined].map((one) => text.indexOf(one.title))
    t.ok(places[0]! > 0 && places[0]! < places[1]! && places[1]! < places[2]!, `${language}: ${places.join(' ')}`)
    t.same(
      buttonsOf(page).map((one) => one.text),
      [words.actions.writeMail, words.actions.connectAgain],
    )
    const { title, happened } = words.reasons.not_approved
    t.notMatch(`${title} ${happened}`, /cancel|abgebrochen|abbrechen/i, 'the page does not say that it was a cancel')
  }
})

t.test("below our words of the permissions stand Microsoft's, deleting included", async (t) => {
  const delet = { en: /delete/, de: /löschen/, es: /eliminar/ }
  for (const language of LANGUAGES) {
    const { permission } = texts[language]
    const text = textOf(accountPage(contextOf(language), state))
    t.ok(text.includes(permission.words['Files.ReadWrite.All']), 'the words of the card')
    t.ok(text.indexOf(permission.consentPage['Files.ReadWrite.All']) > text.indexOf('Files.ReadWrite.All'))
    for (const scope of ['Files.ReadWrite', 'Files.ReadWrite.All', 'Sites.ReadWrite.All'] as const) {
      t.match(permission.consentPage[scope], delet[language], `${language} ${scope}`)
      t.match(texts[language].adminConsent.reach[scope], delet[language], `${language} ${scope}`)
      t.match(texts[language].adminMessage.reach[scope], delet[language], `${language} ${scope}`)
    }
  }
})

t.test(
  'the page for administrators: who is asking, as far as it is configured, and how to limit and withdraw',
  async (t) => {
    const startUrl = values.startUrl
    for (const language of LANGUAGES) {
      const text = textOf(adminConsentPage(contextOf(language), { startUrl }))
      const words = texts[language].adminConsent
      for (const part of [
        words.publisher,
        values.publisher,
        values.publisherContact,
        values.privacyNoticeUrl,
        words.requestWaiting,
        `az ad sp create --id ${values.clientId}`,
        ...words.revokeSteps,
      ])
        t.ok(text.includes(part), `${language}: ${part}`)
      const bare = textOf(adminConsentPage({ ...contextOf(language), people: {} }, { startUrl }))
      for (const part of [words.publisher, words.contact, words.privacy])
        t.notOk(bare.includes(part), `${language}: ${part}`)
      t.ok(
        textOf(adminConsentResultPage(contextOf(language), { approved: true })).includes(words.close),
        'the page can be closed',
      )
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
  t.match(text, /Connected[^]*slowing us down[^]*connection itself is fine[^]*do not have to do anything/)
})

t.test('sent to Microsoft and not finished: since when, and how to start again', async (t) => {
  const page = accountPage(context, { ...state, pending: { since: '2026-11-22T09:48:00Z' } })
  t.match(textOf(page), /Not finished[^]*12 minutes ago/)
  t.ok(
    linksOf(page).some(
      ({ text, attributes }) => text === texts.en.actions.connect && attributes.href === values.connect,
    ),
  )
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
