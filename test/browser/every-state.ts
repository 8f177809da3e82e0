import t from 'tap'
import { LANGUAGES } from '../../src/http/pages/pages.ts'
import { allPages } from '../http/pages/samples.ts'
import { openInspector } from './support/look.ts'
import { openChromium } from './support/visitor.ts'

// All pages with all reasons of the closed lists at 320 px, also those that the simulator cannot cause, with a picture
// of each in every language.

const inspector = await openInspector(t, await openChromium(t))

for (const language of LANGUAGES) {
  await t.test(`all pages in all states at 320 px (${language})`, async (t) => {
    // All languages have the same elements, but others have longer words, so only their layout is checked.
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
