import { texts } from '../../texts/texts.ts'
import type { PageContext } from './context.ts'
import { html, raw, type Fragment } from './html.ts'
import { contactShown } from './steps.ts'
import { stylesheet } from './stylesheet.ts'

/** The frame of every page. `title` is the page's heading again, for the tab; `goTo` sends the browser on at once. */
export function layout(context: PageContext, title: string, body: Fragment, goTo?: string): string {
  const t = texts[context.language]
  const { support } = context.people
  return html`<!DOCTYPE html>
<html lang="${context.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${goTo !== undefined && html`<meta http-equiv="refresh" content="0; url=${goTo}">`}
<title>${title} – ${t.product}</title>
<style>${raw(stylesheet)}</style>
</head>
<body>
<header><b>${t.product}</b> <span class="quiet">${t.area}</span></header>
<main><div class="card">
${body}
</div></main>
<footer><p>${t.reference}: <code>${context.referenceId}</code></p><p>${t.referenceUse}</p>
${support !== undefined && html`<p>${t.support}: ${contactShown(context, support)}</p>`}</footer>
</body>
</html>
`.toString()
}
