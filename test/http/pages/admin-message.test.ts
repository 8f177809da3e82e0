import t from 'tap'
import { adminMessageText, mailto } from '../../../src/http/pages/admin-message.ts'
import { accountPage, adminConsentPage, forTenant, LANGUAGES, resultPage } from '../../../src/http/pages/pages.ts'
import { texts, type AdminReason } from '../../../src/texts/texts.ts'
import { read } from './markup.ts'
import { brokenOf, contextOf, microsoftOf, refusedOf, values } from './samples.ts'

const ADMIN_REASONS = Object.keys(texts.en.adminRequests) as AdminReason[]

t.test(
  "the message holds what an administrator needs: link, application, permissions, Microsoft's answer, reference",
  async (t) => {
    for (const language of LANGUAGES) {
      for (const reason of ADMIN_REASONS) {
        const { subject, text } = adminMessageText(contextOf(language), reason, microsoftOf())
        for (const part of [
          values.adminConsentUrl,
          values.appName,
          values.clientId,
          'User.Read',
          'Files.ReadWrite.All',
          'AADSTS65001',
          values.correlationId,
          values.traceId,
          values.timestamp,
          values.referenceId,
          texts[language].adminRequests[reason],
        ])
          t.ok(text.includes(part), `${language} ${reason}: ${part}`)
        t.ok(subject.includes('MEGDocs'))
        t.ok(text.includes(values.publisher), `${language} ${reason}: who is asking`)
        t.notOk(text.includes(values.username) || text.includes(values.displayName), 'names no user')
      }
    }
  },
)

t.test('without an answer of Microsoft the message has no empty line for it', async (t) => {
  t.notMatch(adminMessageText(contextOf('en'), 'not_approved').text, texts.en.adminMessage.microsoft)
  t.notMatch(adminMessageText(contextOf('en'), 'not_approved', { status: 400 }).text, texts.en.adminMessage.microsoft)
})

t.test(
  'the text to copy has the subject; the mail link carries the same, with CRLF, within 1,200 characters',
  async (t) => {
    for (const language of LANGUAGES) {
      for (const reason of ADMIN_REASONS) {
        // As long as a real one.
        const referenceId = 'f0d53eeb-370f-4b2d-b713-91849c2cc00e'
        const context = { ...forTenant(contextOf(language), values.tenantId), referenceId }
        const refused = { ...refusedOf(reason), microsoft: microsoftOf() }
        const tags = [
          ...read(resultPage(context, refused)),
          ...read(accountPage(context, { missingScopes: [], now: 0, summary: brokenOf(reason) })),
        ]
        const link = tags.find((tag) => tag.attributes.href?.startsWith('mailto:?'))?.attributes.href ?? ''
        const [subject = '', body = ''] = link.replace('mailto:?subject=', '').split('&body=').map(decodeURIComponent)
        t.equal(
          `${texts[language].adminMessage.subject}: ${subject}\n\n${body.replaceAll('\r\n', '\n')}`,
          tags.find((tag) => tag.name === 'textarea')?.text,
          `${language} ${reason}`,
        )
        if (texts[language].adminRequests[reason] === texts[language].adminRequests.not_approved)
          for (const who of [values.publisher, values.publisherContact]) t.ok(body.includes(who), `${language} ${who}`)
        t.ok(link.length <= 1200, `${language} ${reason}: ${link.length}`)
      }
    }
  },
)

t.test(
  'a publisher with a long name is left out of the mail, and stands on the page that the mail leads to',
  async (t) => {
    const long = contextOf('es', { ...values, publisher: 'á'.repeat(120) })
    const { subject, text } = adminMessageText(long, 'tenant_unavailable', microsoftOf())
    t.ok(mailto(subject, text).length <= 1200)
    t.notMatch(text, 'áá')
    t.match(adminConsentPage(long, { startUrl: '/' }), 'áá')
  },
)

t.test('nothing in the text can add a header or a recipient to the mail', async (t) => {
  t.equal(mailto('a&bcc=x@y', 'b?cc=x\n#\'"'), 'mailto:?subject=a%26bcc%3Dx%40y&body=b%3Fcc%3Dx%0D%0A%23%27%22')
  t.doesNotThrow(() => mailto('\ud800', ''))
})
