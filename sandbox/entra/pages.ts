/** The simulated Microsoft's pages: plain forms and links, no script, stable ids; each says that it is simulated. */
import type { Account } from './accounts.ts'
import { say, timestamp } from './answers.ts'
import type { AppNames, Trace } from './answers.ts'
import { aadstsCases } from './errors.ts'
import type { Refusal } from './errors.ts'
import { style } from './style.ts'
import { permissionTexts, texts } from './texts.ts'

/** Fields that a form carries to the next step. */
export interface Step {
  action: string
  hidden: Record<string, string>
}

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function page(title: string, id: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escape(title)} · ${texts.banner}</title>
<style>${style}</style>
</head>
<body>
<aside class="banner" aria-label="Simulated"><strong>${texts.banner}</strong>${texts.bannerDetail}</aside>
<main id="${id}">
<h1>${escape(title)}</h1>
${body}
</main>
</body>
</html>
`
}

function form({ action, hidden }: Step, inner: string, id?: string): string {
  const fields = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escape(value)}">`,
  )
  return `<form method="post" action="${escape(action)}"${id ? ` id="${id}"` : ''}>${fields.join('')}${inner}</form>`
}

/** `account-jane`: what scripts and tests look for. */
function accountId(account: Account): string {
  return `account-${account.username.replace(/@.*/, '').replace(/[^a-z0-9]/gi, '-')}`
}

/** Only the first twelve, so that a benchmark's crowd does not fill the page. */
export function pickerPage(accounts: readonly Account[], step: Step, intro: string): string {
  const items = accounts.slice(0, 12).map(
    (account) => `<li>
<button name="account" value="${escape(account.username)}" id="${accountId(account)}">
<span>${escape(account.displayName)}</span><span>${escape(account.username)}</span>
<span class="soft">${escape(account.note)}</span>
</button></li>`,
  )
  const list = form(step, `<ul class="accounts">${items.join('\n')}</ul>`)
  return page(texts.pickTitle, 'picker', `<p class="soft">${escape(intro)}</p>${list}`)
}

export function signInPage(account: Account, step: Step, otherHref: string): string {
  const button = `<div class="actions"><button class="main" id="sign-in">${texts.signInButton}</button></div>`
  const inside = form({ ...step, hidden: { ...step.hidden, account: account.username } }, button)
  return page(
    texts.signInTitle,
    'sign-in-page',
    `<p>${escape(texts.signInIntro(account.username))}</p>${inside}
<p><a id="other-account" href="${escape(otherHref)}">${texts.pickOther}</a></p>`,
  )
}

function permissionList(scopes: readonly string[], offline: boolean): string {
  const items = scopes.map((scope) => {
    const [title, detail] = permissionTexts[scope] ?? [scope, '']
    return `<li><span>${escape(title)}</span><span class="soft">${escape(scope)}. ${escape(detail)}</span></li>`
  })
  if (offline) items.push(`<li><span>${texts.consentAlways}</span><span class="soft">offline_access</span></li>`)
  return `<ul class="permissions">${items.join('\n')}</ul>`
}

const acceptOrCancel = `<div class="actions"><button name="decision" value="cancel" id="cancel">${texts.cancel}</button>
<button class="main" name="decision" value="accept" id="accept">${texts.accept}</button></div>`

export interface ConsentView {
  account: Account
  appName: string
  scopes: readonly string[]
  offline: boolean
}

export function consentPage({ account, appName, scopes, offline }: ConsentView, step: Step): string {
  const organisation = account.admin
    ? `<label><input type="checkbox" name="organisation" value="on" id="organisation">${texts.consentOrganisation}</label>`
    : ''
  return page(
    texts.consentTitle,
    'consent',
    `<p class="soft">${escape(texts.signedInAs(account.username))}</p>
<p>${escape(texts.consentIntro(appName))}</p>${permissionList(scopes, offline)}<p class="soft">${texts.consentNote}</p>
${form(step, organisation + acceptOrCancel)}`,
  )
}

export function adminConsentPage(view: ConsentView & { organisation: string }, step: Step): string {
  return page(
    texts.adminTitle,
    'admin-consent',
    `<p class="soft">${escape(texts.signedInAs(view.account.username))}</p>
<p>${escape(texts.adminIntro(view.appName, view.organisation))}</p>
${permissionList(view.scopes, false)}${form(step, acceptOrCancel)}`,
  )
}

export function needAdminPage(account: Account, appName: string, step: Step, otherHref: string): string {
  return page(
    texts.needAdminTitle,
    'need-admin-approval',
    `<p class="soft">${escape(texts.signedInAs(account.username))}</p>
<p>${escape(texts.needAdminIntro(appName))}</p>
<p><a id="admin-account" href="${escape(otherHref)}">${texts.needAdminOther}</a></p>
${form(step, `<button class="link" id="return-to-app">${texts.needAdminReturn}</button>`)}`,
  )
}

/** A fault that stays at Microsoft: the application hears nothing of it. */
export function errorPage(refusal: Refusal, trace: Trace, app: AppNames, otherHref?: string): string {
  const blocked = refusal.code >= 53000 && refusal.code < 54000
  const other = otherHref ? `<p><a id="other-account" href="${escape(otherHref)}">${texts.otherAccount}</a></p>` : ''
  const facts: [string, string][] = [
    ['Error code', String(refusal.code)],
    ['Request Id', trace.traceId],
    ['Correlation Id', trace.correlationId],
    ['Timestamp', timestamp(trace.at)],
  ]
  return page(
    blocked ? texts.blockedTitle : texts.errorTitle,
    'error',
    `${blocked ? `<p>${texts.blockedIntro}</p>` : ''}
<p id="error-description">${escape(say(refusal, app))}</p>${other}
<h2 class="soft">${texts.troubleshooting}</h2>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escape(value)}</dd>`).join('')}</dl>`,
  )
}

/** response_mode=form_post. Microsoft submits it by script; this one has a button, so that no page needs script. */
export function formPostPage(redirectUri: string, parameters: readonly [string, string][]): string {
  const button = `<div class="actions"><button class="main" id="continue">${texts.returningButton}</button></div>`
  const step = { action: redirectUri, hidden: Object.fromEntries(parameters) }
  return page(texts.returningTitle, 'form-post', form(step, button, 'callback'))
}

export function signedOutPage(): string {
  return page(texts.signedOutTitle, 'signed-out', `<p>${texts.signedOutIntro}</p>`)
}

/** `/error?code=N`, where `error_uri` points. */
export function lookupPage(code: string): string {
  const text = /^\d+$/.test(code) ? aadstsCases[Number(code)]?.text : undefined
  return page(
    texts.lookupTitle,
    'error-lookup',
    `<p>AADSTS${escape(code)}</p><p>${escape(text ?? texts.lookupUnknown)}</p>`,
  )
}
