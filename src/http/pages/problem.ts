import { texts } from '../../texts/texts.ts'
import { homeUrl, type PageContext } from './context.ts'
import { html } from './html.ts'
import { layout } from './layout.ts'
import { actions, button, notice } from './parts.ts'
import { PAGE_PROBLEMS, type PageProblem, type ProblemTraits } from './problem-list.ts'
import { nextSteps } from './steps.ts'

/**
 * What stopped a browser on its way, and the way on. The HTTP status to send stands in PAGE_PROBLEMS. `continueUrl`:
 * the way on with the link that was opened, for `other_sign_in`.
 */
export function problemPage(context: PageContext, problem: PageProblem, continueUrl?: string): string {
  const t = texts[context.language]
  const { title, happened, todo } = t.problems[problem]
  const { steps, calm }: ProblemTraits = PAGE_PROBLEMS[problem]
  return layout(
    context,
    title,
    html`${notice(calm === true ? 'info' : 'bad', html`<h1>${title}</h1><p>${happened}</p>`, true)}
<h2>${t.whatToDo}</h2><p>${todo}</p>
${problem === 'plain_http' && html`<p>${t.plainHttp}</p><p><code>X-Forwarded-Proto: https</code></p>`}
${
  continueUrl === undefined
    ? nextSteps(context, steps)
    : actions(
        context,
        false,
        button(context, 'backToMegdocs', homeUrl(context.entryUrls)),
        button(context, 'continueWithLink', continueUrl, 'second'),
      )
}`,
  )
}
