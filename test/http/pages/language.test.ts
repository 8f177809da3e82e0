import t from 'tap'
import { pickLanguage } from '../../../src/http/pages/language.ts'

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
