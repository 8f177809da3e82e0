import type { AccountKind } from '../../core/integration.ts'
import { findPermission, isPermissionName } from '../../core/microsoft-permissions.ts'
import { texts, type Action } from '../../texts/texts.ts'
import { consentPage } from './account-name.ts'
import { homeUrl, inCloud, type PageContext } from './context.ts'
import { html, safeUrl, type Fragment, type Html } from './html.ts'

// The pieces pages are made of.

const ICONS = {
  good: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 4L2.5 20h19zM12 10v4.5M12 17.2v.1',
  bad: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 7.5v5.5M12 16.2v.1',
  info: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5.5M12 7.7v.1',
}
export type Tone = keyof typeof ICONS

/** Decoration only: what it says stands beside it in words. */
export function icon(tone: Tone): Html {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="${ICONS[tone]}"/></svg>`
}

/** A status in words and colour. */
export function status(tone: Tone, words: string): Html {
  return html`<p class="${tone}"><span class="status">${icon(tone)} ${words}</span></p>`
}

/**
 * A box that is announced: as an alert where something went wrong, else as a status (WCAG 2.2, 4.1.3). `first`: opens
 * the page.
 */
export function notice(tone: Tone, content: Fragment, first = false): Html {
  return html`<div class="notice ${tone}${first ? ' first' : ''}" role="${tone === 'bad' ? 'alert' : 'status'}">${content}</div>`
}

/** `second`: outlined. A page that has buttons has one filled one: what most people who see it should do. */
export function button(context: PageContext, action: Action, url: string, kind: '' | 'second' = ''): Html {
  const label = texts[context.language].actions[action]
  return html`<a class="button${kind === '' ? '' : ` ${kind}`}" href="${safeUrl(url)}">${label}</a>`
}

export function link(context: PageContext, action: Action, url: string): Html {
  return namedLink(texts[context.language].actions[action], url)
}

/** A link whose words are the name of what it leads to. */
export function namedLink(label: string, url: string): Html {
  return html`<a href="${safeUrl(url)}">${label}</a>`
}

/** The buttons at the end of a page. `withHome`: a plain link back to MEGDocs follows them. */
export function actions(context: PageContext, withHome: boolean, ...buttons: Fragment[]): Html {
  const home = safeUrl(homeUrl(context.entryUrls))
  const { backToMegdocs } = texts[context.language].actions
  return html`<div class="actions">${buttons}${withHome && html`<a class="plain" href="${home}">${backToMegdocs}</a>`}</div>`
}

/** The words for a permission. Undefined for one that may not be configured: it was granted nevertheless. */
export function permissionWords(context: PageContext, scope: string): string | undefined {
  const name = findPermission(scope)?.scope
  return name !== undefined && isPermissionName(name) ? texts[context.language].permission.words[name] : undefined
}

/**
 * What is missing is said in words, not by colour or sign alone. Without `missing` nothing is said about being granted.
 */
export function permissionList(context: PageContext, missing?: readonly string[]): Html {
  const t = texts[context.language].permission
  const absent = new Set(missing?.map((scope) => scope.toLowerCase()))
  return html`<ul class="permissions">${context.permissions.map(({ scope }) => {
    const words = permissionWords(context, scope)
    const isMissing = absent.has(scope.toLowerCase())
    const state = missing !== undefined && html` · ${isMissing ? t.missing : t.granted}`
    const sign = missing === undefined ? 'info' : isMissing ? 'warn' : 'good'
    const kind = missing === undefined ? 'asked' : isMissing ? 'missing' : 'granted'
    return html`<li class="${kind}">${icon(sign)}<span>${words !== undefined && html`${words}<br>`}<span class="quiet"><code>${scope}</code>${state}</span></span></li>`
  })}</ul>`
}

/** What Microsoft's consent page says about them, which is more than our own words say: deleting is included. */
export function atMicrosoft(context: PageContext): Html {
  const { atMicrosoft: title, consentPage } = texts[context.language].permission
  const known = context.permissions.flatMap(({ scope }) => (isPermissionName(scope) ? [consentPage[scope]] : []))
  return html`${known.length > 0 && html`<p>${title}</p>${list(known)}`}`
}

/** Permissions that were granted and are not asked for (any longer), in words where we have them. */
export function excessList(context: PageContext, scopes: readonly string[]): Html {
  const t = texts[context.language].permission
  const items = scopes.map((scope) => {
    const words = permissionWords(context, scope)
    return html`<li class="asked">${icon('info')}<span>${words !== undefined && html`${words}<br>`}<span class="quiet"><code>${scope}</code></span></span></li>`
  })
  return html`<ul class="permissions">${items}</ul><p class="quiet">${t.excessText}</p>`
}

/** Where at Microsoft the user's approval can be seen and withdrawn. */
export function consentLinks(context: PageContext, kind: AccountKind): Html {
  const names = texts[context.language].consentPages
  const pages = consentPage(kind, context.cloud)
  if (pages.length === 0) return html`<p>${texts[context.language].consentPages.unknown}</p>`
  return html`<ul>${pages.map((page) => html`<li>${namedLink(inCloud(context, names[page.kind]), page.url)}</li>`)}</ul>`
}

export function facts(rows: readonly { term: string; detail: Fragment }[]): Html {
  const shown = rows.filter((row) => row.detail !== undefined)
  return html`<dl class="facts">${shown.map((row) => html`<div><dt>${row.term}</dt><dd>${row.detail}</dd></div>`)}</dl>`
}

export function list(items: readonly Fragment[]): Html {
  return html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`
}
