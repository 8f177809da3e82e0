import type { PageContext } from './context.ts'
import { html, safeUrl } from './html.ts'
import { layout } from './layout.ts'
import { button } from './parts.ts'
import { texts } from './texts.ts'

/**
 * A 200 page that sends the browser on to MEGDocs at once, with a link in case it does not: a redirect begun at Microsoft's site would
 * leave SameSite=Strict cookies behind (design 2.1).
 */
export function continuePage(context: PageContext, url: string): string {
  const t = texts[context.language].goingOn
  return layout(
    context,
    t.title,
    html`<h1>${t.title}</h1><p role="status">${t.text}</p>
<div class="actions">${button(t.go, url)}</div>`,
    safeUrl(url),
  )
}
