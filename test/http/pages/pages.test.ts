import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { LANGUAGES, contentSecurityPolicy } from '../../../src/http/pages/pages.ts'
import { read, skeleton, type Tag } from './markup.ts'
import { allPages, values, type Values } from './samples.ts'

interface Page {
  language: string
  name: string
  page: string
  tags: Tag[]
}
const every: Page[] = LANGUAGES.flatMap((language) => {
  return Object.entries(allPages(language)).map(([name, page]) => ({ language, name, page, tags: read(page) }))
})

/** Asks every page; what a check returns is a fault. */
function faults(check: (page: Page) => (string | false | undefined)[]): string[] {
  return every.flatMap((page) =>
    check(page)
      .filter((fault) => typeof fault === 'string')
      .map((fault) => `${page.language} ${page.name}: ${fault}`),
  )
}

t.test('every page in every language is whole, says its language and has one heading', async (t) => {
  t.same(
    faults(({ language, tags }) => {
      const of = (element: string): Tag[] => tags.filter((tag) => tag.name === element)
      return [
        of('html')[0]?.attributes.lang !== language && 'language not declared',
        of('h1').length !== 1 && 'not one h1',
        of('main').length !== 1 && 'not one main',
        !of('title')[0]?.text.startsWith(of('h1')[0]?.text ?? '?') && 'title is not the heading',
        !of('footer')[0]?.text.includes(values.referenceId) && 'no reference id',
        /undefined|null|\[object|NaN|Invalid Date/.test(of('body')[0]?.text ?? 'null') && 'a hole in the text',
      ]
    }),
    [],
  )
})

t.test('headings do not skip a level, ids are unique, labels and fields belong together', async (t) => {
  t.same(
    faults(({ tags }) => {
      const levels = tags.filter((tag) => /^h[1-6]$/.test(tag.name)).map((tag) => Number(tag.name.slice(1)))
      const ids = tags.flatMap(({ attributes }) => attributes.id ?? [])
      const named = tags
        .flatMap(({ attributes }) => [attributes.for, attributes['aria-labelledby']])
        .filter((id) => id !== undefined)
      const labels = new Set(tags.filter((tag) => tag.name === 'label').map((tag) => tag.attributes.for))
      return [
        levels.some((level, index) => level > (levels[index - 1] ?? 0) + 1) && `levels ${levels.join(' ')}`,
        new Set(ids).size !== ids.length && 'an id twice',
        named.some((id) => !ids.includes(id)) && 'a label for nothing',
        tags.some((tag) => tag.name === 'textarea' && !labels.has(tag.attributes.id)) && 'a field without label',
      ]
    }),
    [],
  )
})

t.test('no page runs a script, fetches anything or styles by attribute', async (t) => {
  t.same(
    faults(({ name, page, tags }) => [
      tags.some((tag) =>
        Object.keys(tag.attributes).some((attribute) => /^(?:style|on.*|src.*|background)$/.test(attribute)),
      ) && 'attribute',
      /<(?:script|link|img|iframe|object|embed|base)\b|url\(|@import|javascript:/i.test(page) && 'element or address',
      page.includes('http-equiv') !== (name === 'going-on') && 'moves by itself, or does not and should',
    ]),
    [],
  )
})

t.test(
  "links lead to MEGDocs, to ourselves, to Microsoft's two consent pages, to what is configured or into a mail",
  async (t) => {
    const allowed = new RegExp(
      [
        'https://audits\\.example\\.com/.*',
        '/accounts/account/microsoft/.*',
        '/auth/oauth2/microsoft/.*',
        '\\?lang=(?:en|de|es)',
        '\\?lang=(?:en|de|es)',
        'https://myapps\\.microsoft\\.com',
        'https://account\\.live\\.com/consent/Manage',
        'https://megsupportools\\.com/(?:contact|privacy)',
        'mailto:(?:support@megsupportools\\.com)?\\?subject=.*',
      ]
        .map((pattern) => `^${pattern}$`)
        .join('|'),
    )
    t.same(
      faults(({ tags }) =>
        tags
          .filter(({ name }) => name === 'a')
          .map(({ attributes }) => {
            return !allowed.test(attributes.href ?? '') && `${attributes.href}`
          }),
      ),
      [],
    )
  },
)

t.test('every page has a way on', async (t) => {
  t.same(
    faults(({ tags }) => [
      !tags.some((tag) => tag.name === 'a' && tag.attributes.class?.includes('button')) && 'a dead end',
    ]),
    [],
  )
})

t.test('what went wrong is announced as an alert, and only that', async (t) => {
  const wrong =
    /^(?:problem-(?!result_gone$|session_over$|link_used$|sign_in_unmatched$)|attention-|account-attention|admin-consent-refused)|^result-(?!connected$|reconnected$)/
  t.same(
    faults(({ name, tags }) => [
      tags.some(({ attributes }) => attributes.role === 'alert') !== wrong.test(name) &&
        'alert where none is due, or none',
    ]),
    [],
  )
})

t.test('the policy allows exactly the stylesheet that stands in every page, and nothing else', async (t) => {
  t.same(
    faults(({ page }) => {
      const style = /<style>([\s\S]*?)<\/style>/.exec(page)?.[1] ?? ''
      const hash = createHash('sha256').update(style).digest('base64')
      return [!contentSecurityPolicy.includes(`style-src 'sha256-${hash}';`) && 'another stylesheet']
    }),
    [],
  )
  t.equal(
    contentSecurityPolicy.replace(/sha256-[\w+/=]+/, 'sha256-…'),
    "default-src 'none'; style-src 'sha256-…'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  )
})

t.test('markup in any value stays text: the elements of every page are the same as with harmless values', async () => {
  const piece = fc.constantFrom(
    '<script>alert(1)</script>',
    '"',
    "'",
    '`',
    '<',
    '>',
    '&',
    '&lt;',
    '&#x3c;',
    '" onfocus="x',
    "'><img src=x onerror=x>",
    '</title>',
    '</textarea>',
    '</style>',
    '<!--',
    ']]>',
    '{{x}}',
    '${x}',
    '\0',
    '\n',
    '\r\n',
    '\u202e',
    'é',
    '\ud800',
    'javascript:alert(1)',
    'data:text/html,<b>',
    '//evil.example',
    '@',
    'x',
  )
  const hostile = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''))
  const keys = Object.keys(values) as (keyof Values)[]
  const bag = fc.record(Object.fromEntries(keys.map((key) => [key, hostile])) as Record<keyof Values, typeof hostile>)
  // What may rightly change a page is held still: the marked permission is the missing one, the two accounts do not
  // look alike.
  const held = (v: Values): Values => ({
    ...v,
    scope: `s${v.scope}`,
    missing: `s${v.scope}`,
    username: `a${v.username}`,
    otherUsername: `b${v.otherUsername}`,
  })
  for (const language of LANGUAGES) {
    const harmless = allPages(language, held(values))
    const expected = Object.fromEntries(
      Object.entries(harmless).map(([name, page]) => [name, skeleton(page).join('\n')]),
    )
    fc.assert(
      fc.property(bag, (hostileValues) => {
        for (const [name, page] of Object.entries(allPages(language, held(hostileValues)))) {
          if (skeleton(page).join('\n') !== expected[name]) throw new Error(`${name} changed its elements`)
          for (const { attributes } of read(page)) {
            const target = attributes.href ?? attributes.action ?? attributes.content?.split('url=')[1]
            const harmless = target === undefined || /^(?:https?:|mailto:[^?]*\?subject=|\/(?![/\\])|\?)/.test(target)
            if (!harmless) throw new Error(`${name} leads to ${target}`)
          }
        }
      }),
      { numRuns: 14 },
    )
  }
})
