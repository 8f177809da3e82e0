import { type Fragment, type Html, html, raw } from '../../src/http/pages/html.ts'
import type { Call, IntegrationView, Problem, Token } from './broker-client.ts'
import type { DriveItem, Me } from './graph.ts'
import type { Session, User } from './sessions.ts'
import { STYLESHEET } from './stylesheet.ts'

// MEGDocs' pages: data in, HTML out. Each page says that it is simulated.

/** A control of the sandbox, shown below each page, to change the simulated world. */
export interface Control {
  action: string
  label: string
  explanation: string
}

interface Frame {
  title: string
  session?: Session | undefined
  controls?: readonly Control[]
  /** The calls that MEGDocs made for this page. */
  calls?: readonly Call[]
}

const csrfField = (session: Session): Html => html`<input type="hidden" name="csrf" value="${session.csrf}">`

function page({ title, session, controls = [], calls = [] }: Frame, body: Fragment): string {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – MEGDocs (simulated)</title>
<style>${raw(STYLESHEET)}</style>
</head>
<body>
<aside class="simulated" aria-label="Sandbox">Sandbox – simulated MEGDocs. Nothing here is real.</aside>
<header><div><a class="brand" href="/">MEGDocs</a>${session && navigation(session)}</div></header>
<main>
<h1>${title}</h1>
${session?.notice !== undefined && html`<div class="card" role="status">${session.notice}</div>`}
${body}
${calls.length > 0 && callsOf(calls)}
${session && controls.length > 0 && panel(session, controls)}
</main>
</body>
</html>
`.toString()
}

function navigation(session: Session): Html {
  return html`<a href="/documents">Documents</a> <a href="/microsoft/manage">Microsoft account</a>
<span class="soft">${session.user.name}</span>
<form method="post" action="/logout">${csrfField(session)}<button class="quiet">Log out</button></form>`
}

function panel(session: Session, controls: readonly Control[]): Html {
  return html`<aside class="panel" aria-labelledby="controls"><h2 id="controls">Sandbox controls</h2>
<p class="soft">They change the simulated world. The real MEGDocs does not have them.</p>
<ul class="plain">${controls.map(
    ({ action, label, explanation }) => html`<li>
<form method="post" action="/sandbox/${action}">${csrfField(session)}<button class="quiet">${label}</button></form>
<span class="soft">${explanation}</span></li>`,
  )}</ul></aside>`
}

function callsOf(calls: readonly Call[]): Html {
  return html`<details class="card"><summary>The calls that MEGDocs made for this page</summary>
<div class="scroll"><table>
<thead><tr><th>To</th><th>Request</th><th>Answer</th><th>Time</th></tr></thead>
<tbody>${calls.map(
    ({ who, what, status, note, milliseconds }) => html`<tr><td>${who}</td><td><code>${what}</code></td>
<td>${status}${note && html` <span class="soft">${note}</span>`}</td><td>${milliseconds} ms</td></tr>`,
  )}</tbody>
</table></div></details>`
}

export function loginPage(users: readonly User[], next: string): string {
  const body = html`<div class="card"><p>Choose who you are. These people are invented, and no password is needed.</p>
<ul class="plain">${users.map(
    ({ id, name, role }) => html`<li><form method="post" action="/login">
<input type="hidden" name="user" value="${id}"><input type="hidden" name="next" value="${next}">
<button class="quiet">${name}</button></form>
<span class="soft">${role}</span></li>`,
  )}</ul></div>`
  return page({ title: 'Log in to MEGDocs' }, body)
}

export const connectForm = (session: Session, label = 'Connect to Microsoft', allowSwitch = false): Html =>
  html`<form method="post" action="/microsoft/connect">${csrfField(session)}
${allowSwitch && html`<input type="hidden" name="allow_switch" value="yes">`}<button>${label}</button></form>`

/** The frame of a page for a logged-in user; each page function adds its title. */
type View = Omit<Frame, 'title'> & { session: Session }

export function homePage(view: View, integration: IntegrationView | undefined): string {
  return page(
    { ...view, title: `Good day, ${view.session.user.name}` },
    html`<section class="card${isBroken(integration) && ' attention'}">
${connectionOf(view.session, integration)}</section>`,
  )
}

const isBroken = (integration: IntegrationView | undefined): boolean => integration?.status === 'reconnect_required'

/** Else connecting again is not the next step: the broker's account page has the message for the administrator. */
const userCanHelp = (whoActs: string | undefined): boolean => whoActs === undefined || whoActs === 'user'

function connectionOf(session: Session, integration: IntegrationView | undefined): Html {
  const manage = html`<a class="button quiet" href="/microsoft/manage">Manage</a>`
  if (integration === undefined) {
    return html`<h2>Microsoft 365</h2><p>Connect your Microsoft account to open and edit your documents here.</p>
<div class="row">${connectForm(session)}</div>`
  }
  if (isBroken(integration)) {
    return html`<h2>Microsoft 365 needs your attention</h2>
<p>${integration.failure?.advice ?? 'The connection no longer works. Connect again.'}</p>
<div class="row">${userCanHelp(integration.failure?.who_acts) && connectForm(session, 'Connect again')} ${manage}</div>`
  }
  const account = integration.account?.username ?? 'an account whose name is not known yet'
  return html`<h2>Microsoft 365</h2><p>Connected as <b>${account}</b>.</p>
<div class="row"><a class="button" href="/documents">Open your documents</a> ${manage}</div>`
}

export function connectPage(view: View): string {
  return page(
    { ...view, title: 'Connect to Microsoft' },
    html`<div class="card">
<p>You will sign in at Microsoft and approve that MEGDocs reads your profile
and reads and writes your Microsoft 365 files.</p>
<div class="row">${connectForm(view.session)} <a href="/">Not now</a></div></div>`,
  )
}

const addressOf = ({ id }: DriveItem): string => `/documents/${encodeURIComponent(id)}`

export function documentsPage(view: View, token: Token, me: Me, files: readonly DriveItem[]): string {
  const items = files.map(
    (file) => html`<li><a href="${addressOf(file)}">${file.name}</a>
${file.size !== undefined && html`<span class="soft">${file.size} bytes</span>`}</li>`,
  )
  return page(
    { ...view, title: 'Your documents' },
    html`${degraded(token)}<section class="card"><h2>OneDrive of ${me.displayName}</h2>
<ul class="plain">${items}</ul></section>${tokenFacts(token)}`,
  )
}

export function documentPage(view: View, token: Token, file: DriveItem, text: string): string {
  return page(
    { ...view, title: file.name },
    html`${degraded(token)}
<form class="card stack" method="post" action="${addressOf(file)}">${csrfField(view.session)}
<label for="text">Text</label><textarea id="text" name="text">
${text}</textarea>
<div class="row"><button>Save to Microsoft 365</button> <a href="/documents">Back to the list</a></div></form>
${tokenFacts(token)}`,
  )
}

function degraded(token: Token): Html | undefined {
  return (
    token.degraded &&
    html`<div class="card attention" role="status"><h2>Working, but not refreshed</h2>
<p>The access token is still valid for ${token.expires_in} s, but could not be refreshed (${token.degraded.reason}).
You do not need to do anything.</p></div>`
  )
}

function tokenFacts(token: Token): Html {
  return html`<section class="card"><h2>The token that MEGDocs used</h2>
<dl><dt>Account</dt><dd>${token.account?.username}</dd>
<dt>Generation</dt><dd id="generation">${token.generation}</dd><dt>Valid for</dt><dd>${token.expires_in} s</dd>
<dt>Permissions</dt><dd>${token.scope}</dd></dl></section>`
}

const TITLES: Record<string, string> = {
  not_connected: 'Microsoft is not connected',
  reconnect_required: 'Microsoft needs your attention',
}

/** Shows the problem, who can solve it, and the button that may help. */
export function problemPage(view: View, problem: Problem): string {
  const { code, reason, microsoft, who_acts: actor, retry_after: seconds } = problem
  return page(
    { ...view, title: TITLES[code] ?? 'This did not work' },
    html`<div class="card attention" role="alert">
<p>${problem.advice ?? problem.title ?? 'Please try again later.'}</p>
<p class="soft">Code <code>${code}</code>${reason && html`, reason <code>${reason}</code>`}
${microsoft?.aadsts !== undefined && html`, AADSTS${microsoft.aadsts}`}${actor && html`, to be solved by: ${actor}`}
${seconds !== undefined && html`, next try possible in ${seconds} s`}</p>
<div class="row">${nextStep(view.session, problem)} <a href="/">Home</a></div></div>`,
  )
}

function nextStep(session: Session, problem: Problem): Html {
  if (problem.code === 'not_connected') return connectForm(session)
  if (problem.code === 'reconnect_required')
    return userCanHelp(problem.who_acts)
      ? connectForm(session, 'Connect again')
      : html`<a class="button" href="/microsoft/manage">See who can help</a>`
  if (problem.code === 'account_mismatch') return connectForm(session, 'Connect another account', true)
  return html`<a class="button" href="/documents">Try again</a>`
}

export function plainPage(frame: Frame, text: string): string {
  return page(frame, html`<div class="card"><p>${text}</p><p><a href="/">Home</a></p></div>`)
}
