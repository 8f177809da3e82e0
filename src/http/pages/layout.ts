import { texts } from '../../texts/texts.ts'
import type { PageContext } from './context.ts'
import { html, raw, safeUrl, type Fragment, type Html } from './html.ts'
import { inLanguage, LANGUAGES } from './language.ts'
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
<header><b>${t.product}</b> <span class="quiet">${t.area}</span>
${languageSwitch(context)}</header>
<main><div class="card">
${body}
</div></main>
<footer><p>${t.reference}: <code>${context.referenceId}</code></p><p>${t.referenceUse}</p>
${support !== undefined && html`<p>${t.support}: ${contactShown(context, support)}</p>`}</footer>
</body>
</html>
`.toString()
}

/** Plain links to this page in the other languages, each named in itself. */
function languageSwitch({ language, pageUrl }: PageContext): Html {
  const names = LANGUAGES.map((other) => {
    const { name } = texts[other].language
    return other === language
      ? html`<li aria-current="true">${name}</li>`
      : html`<li><a href="${safeUrl(inLanguage(pageUrl, other))}" lang="${other}" hreflang="${other}">${name}</a></li>`
  })
  return html`<nav aria-label="${texts[language].language.choose}"><ul>${names}</ul></nav>`
}
