import t from 'tap'
import { adminMessageText, mailto } from '../../../src/http/pages/admin-message.ts'
import { LANGUAGES, resultPage } from '../../../src/http/pages/pages.ts'
import { texts, type AdminReason } from '../../../src/texts/texts.ts'
import { read } from './markup.ts'
import { contextOf, microsoftOf, refusedOf, values } from './samples.ts'

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
  'the mail link carries exactly the text to copy, with CRLF, within the 2,000 characters that mail programs take',
  async (t) => {
    for (const language of LANGUAGES) {
      for (const reason of ADMIN_REASONS) {
        const tags = read(resultPage(contextOf(language), refusedOf(reason)))
        const link = tags.find((tag) => tag.attributes.href?.startsWith('mailto:'))?.attributes.href ?? ''
        const [, body = ''] = link.split('&body=')
        t.equal(
          decodeURIComponent(body),
          tags.find((tag) => tag.name === 'textarea')?.text.replaceAll('\n', '\r\n'),
          `${language} ${reason}`,
        )
        t.ok(link.length <= 2000, `${language} ${reason}: ${link.length}`)
      }
    }
  },
)

t.test('nothing in the text can add a header or a recipient to the mail', async (t) => {
  t.equal(mailto('a&bcc=x@y', 'b?cc=x\n#\'"'), 'mailto:?subject=a%26bcc%3Dx%40y&body=b%3Fcc%3Dx%0D%0A%23%27%22')
  t.doesNotThrow(() => mailto('\ud800', ''))
})
