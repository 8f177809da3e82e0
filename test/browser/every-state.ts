import t from 'tap'
import { LANGUAGES } from '../../src/http/pages/pages.ts'
import { allPages } from '../http/pages/samples.ts'
import { openInspector } from './support/look.ts'
import { openChromium } from './support/visitor.ts'

// Every page for every reason of the closed lists, also those that the simulator cannot bring about, at 320 px; with a picture of each in both languages.

const inspector = await openInspector(t, await openChromium(t))

for (const language of LANGUAGES) {
  await t.test(`every page in every state, narrow (${language})`, async (t) => {
    // Both languages have the same elements; what German has is longer words.
    const only = language === 'en' ? undefined : 'layout'
    for (const [name, html] of Object.entries(allPages(language))) {
      t.same(
        await inspector.inspect(
          'https://audits.example.com/',
          html,
          { width: 320, height: 640, colorScheme: 'dark' },
          only,
        ),
        [],
        name,
      )
      await inspector.picture(language, `state-${name}`)
    }
  })
}
