import t from 'tap'
import { inLanguage, languageOf, pickLanguage } from '../../../src/http/pages/language.ts'

t.test('the language with the highest weight that we have wins; English where nothing fits', async (t) => {
  const cases: [string | undefined, string][] = [
    [undefined, 'en'],
    ['', 'en'],
    ['de', 'de'],
    ['de-AT', 'de'],
    ['DE-ch', 'de'],
    ['en-US,en;q=0.9,de;q=0.8', 'en'],
    ['de,en;q=0.9', 'de'],
    ['fr,de;q=0.5', 'de'],
    ['fr,de;q=0.5,en;q=0.7', 'en'],
    ['fr', 'en'],
    ['*', 'en'],
    ['*;q=0.1,de;q=0.2', 'de'],
    ['de;q=0', 'en'],
    ['de;q=0,en;q=0', 'en'],
    ['de;q=2', 'en'],
    ['de;q=x', 'en'],
    ['den', 'en'],
    ['de;level=1', 'de'],
    [';;;,,,=', 'en'],
    [`${'x,'.repeat(100_000)}de`, 'en'],
    [' de ; q=1.000 ', 'de'],
  ]
  for (const [header, language] of cases) t.equal(pickLanguage(header), language, String(header).slice(0, 40))
})

t.test('a region counts as its language, and a language that we do not have as English', async (t) => {
  for (const [tag, language] of [
    ['de', 'de'],
    ['DE-at', 'de'],
    ['es-419', 'es'],
    ['en-GB', 'en'],
    ['fr-CA', 'en'],
    ['den', 'en'],
  ] as const)
    t.equal(languageOf(tag), language, tag)
})

t.test('the address of a page in another language keeps the rest', async (t) => {
  t.equal(inLanguage('?', 'de'), '?lang=de')
  t.equal(inLanguage('?a=1&a=2&b=%3C%22', 'de'), '?a=1&a=2&b=%3C%22&lang=de')
  t.equal(inLanguage('/result/1/x', 'es'), '/result/1/x?lang=es')
  t.equal(inLanguage('https://a.example/admin?lang=de', 'en'), 'https://a.example/admin?lang=en')
})
