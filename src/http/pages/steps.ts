import type { Contact } from '../../core/contact.ts'
import { fill, texts, type Action } from '../../texts/texts.ts'
import { homeUrl, type PageContext } from './context.ts'
import type { Html } from './html.ts'
import { actions, button, namedLink } from './parts.ts'

// What a page offers next. The first step is what most people who see the page should do: its button is the one that is
// filled. The others are for the rest of them. No step is offered that cannot help.

/** Steps that lead somewhere from any page. The message to the administrator is a section of its own. */
export type Step = Extract<Action, 'connect' | 'connectAgain' | 'openConnection' | 'contactSupport' | 'backToMegdocs'>

/** Where the step leads. None: support is not configured, or is no address that a browser can open. */
function addressOf(context: PageContext, step: Step): string | undefined {
  switch (step) {
    case 'connect':
    case 'connectAgain':
      return context.entryUrls.connect
    case 'openConnection':
      return context.entryUrls.manage
    case 'backToMegdocs':
      return homeUrl(context.entryUrls)
    case 'contactSupport':
      return context.people.support && contactUrl(context, context.people.support)
  }
}

/**
 * The buttons, and always a link back to MEGDocs. Where the first step has no address, going back to MEGDocs takes its
 * place. `isMainElsewhere`: the filled button stands above.
 */
export function nextSteps(context: PageContext, offered: readonly Step[], isMainElsewhere = false): Html {
  const [wanted = 'backToMegdocs', ...others] = offered
  const first = addressOf(context, wanted) === undefined ? 'backToMegdocs' : wanted
  const steps = [...new Set(isMainElsewhere && offered.length === 0 ? [] : [first, ...others])]
  const buttons = steps.map((step, index) => {
    const address = addressOf(context, step)
    return address !== undefined && button(context, step, address, index === 0 && !isMainElsewhere ? '' : 'second')
  })
  return actions(context, !steps.includes('backToMegdocs'), ...buttons)
}

/** For `href`. A mail to support has the reference in its subject. */
function contactUrl(context: PageContext, { kind, value }: Contact): string | undefined {
  if (kind === 'text') return undefined
  if (kind === 'page') return value
  const at = value.lastIndexOf('@')
  const [user, host] = [value.slice(0, at), value.slice(at + 1)].map((part) => encodeURIComponent(part.toWellFormed()))
  const subject = fill(texts[context.language].supportSubject, { reference: context.referenceId })
  return `mailto:${user}@${host}?subject=${encodeURIComponent(subject.toWellFormed())}`
}

/** A link where there is something to open, otherwise the words. */
export function contactShown(context: PageContext, contact: Contact): Html | string {
  const url = contactUrl(context, contact)
  return url === undefined ? contact.value : namedLink(contact.value, url)
}
