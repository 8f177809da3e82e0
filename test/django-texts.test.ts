import { readFileSync } from 'node:fs'
import { mo } from 'gettext-parser'
import t from 'tap'
import { djangoTexts, staleDjangoTexts } from '../scripts/django-texts.ts'
import { LANGUAGES, texts } from '../src/texts/texts.ts'

t.test('the catalogues and the stylesheet of the Django client are those of the pages', async (t) => {
  t.strictSame(staleDjangoTexts(), [], 'npm run texts writes them')
})

t.test('each language has a catalogue, and each of its texts is a text of src/texts', async (t) => {
  for (const language of LANGUAGES) {
    const file = djangoTexts().get(`locale/${language}/LC_MESSAGES/django.mo`)
    t.ok(file)
    if (file === undefined) continue
    const { translations } = mo.parse(file)
    const [title] = Object.values(translations['token_broker.reasons.access_revoked.title'] ?? {})
    t.equal(title?.msgid, texts.en.reasons.access_revoked.title)
    t.strictSame(title?.msgstr, [texts[language].reasons.access_revoked.title])
    t.strictSame(translations['token_broker.language']?.['en']?.msgstr, [language])
  }
})

t.test('the wheel of the Django client includes them', async (t) => {
  const project = readFileSync(new URL('../clients/python/pyproject.toml', import.meta.url), 'utf8')
  const included = /"token_broker_client\.django" = \[(.*)\]/.exec(project)?.[1] ?? ''
  for (const pattern of ['locale/*/LC_MESSAGES/*', 'texts.json', 'pages.css']) t.match(included, `"${pattern}"`)
})
