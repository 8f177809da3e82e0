import { type Fragment, type Html, html, raw } from '../../src/http/pages/html.ts'
import type { Call, IntegrationView, Problem, Token } from './broker-client.ts'
import type { DriveItem, Me } from './graph.ts'
import type { Session, User } from './sessions.ts'
import { STYLESHEET } from './stylesheet.ts'

// MEGDocs' pages: data in, HTML out. Every one says that it is simulated.

/** A switch of the sandbox, shown below every page: what the person in front of it may do to the simulated world. */
export interface Control {
  action: string
  label: string
  explanation: string
}

interface Frame {
  title: string
  session?: Session | undefined
  controls?: readonly Control[]
  /** What MEGDocs asked of the others for this page. */
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
<div class="simulated" role="note">Sandbox – simulated MEGDocs. Nothing here is real.</div>
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
  return html`<a href="/documents">Documents</a> <a href="/microsoft/manage">Microsoft account</a> <span class="soft">${session.user.name}</span>
<form method="post" action="/logout">${csrfField(session)}<button class="quiet">Log out</button></form>`
}

function panel(session: Session, controls: readonly Control[]): Html {
  return html`<aside class="panel" aria-labelledby="controls"><h2 id="controls">Sandbox controls</h2>
<p class="soft">These move the simulated world. No real MEGDocs has them.</p>
<ul class="plain">${controls.map((control) => html`<li><form method="post" action="/sandbox/${control.action}">${csrfField(session)}<button class="quiet">${control.label}</button></form> <span class="soft">${control.explanation}</span></li>`)}</ul></aside>`
}

function callsOf(calls: readonly Call[]): Html {
  return html`<details class="card"><summary>What MEGDocs just did behind this page</summary><div class="scroll"><table>
<thead><tr><th>Asked</th><th>Request</th><th>Answer</th><th>Took</th></tr></thead>
<tbody>${calls.map((call) => html`<tr><td>${call.who}</td><td><code>${call.what}</code></td><td>${call.status}${call.note && html` <span class="soft">${call.note}</span>`}</td><td>${call.milliseconds} ms</td></tr>`)}</tbody>
</table></div></details>`
}

export function loginPage(users: readonly User[], next: string): string {
  return page({ title: 'Log in to MEGDocs' }, html`<div class="card"><p>Choose who you are. These people are invented, and no password is needed.</p>
<ul class="plain">${users.map((user) => html`<li><form method="post" action="/login"><input type="hidden" name="user" value="${user.id}"><input type="hidden" name="next" value="${next}"><button class="quiet">${user.name}</button></form> <span class="soft">${user.role}</span></li>`)}</ul></div>`)
}

export const connectForm = (session: Session, label = 'Connect to Microsoft', allowSwitch = false): Html =>
  html`<form method="post" action="/microsoft/connect">${csrfField(session)}${allowSwitch && html`<input type="hidden" name="allow_switch" value="yes">`}<button>${label}</button></form>`

export function homePage(frame: Omit<Frame, 'title'> & { session: Session }, integration: IntegrationView | undefined): string {
  const { session } = frame
  const body = integration === undefined
    ? html`<section class="card"><h2>Microsoft 365</h2><p>Connect your Microsoft account to open and edit your documents here.</p><div class="row">${connectForm(session)}</div></section>`
    : integration.status === 'active'
      ? html`<section class="card"><h2>Microsoft 365</h2><p>Connected as <b>${integration.account?.username ?? 'an account whose name is not known yet'}</b>.</p>
<div class="row"><a class="button" href="/documents">Open your documents</a> <a class="button quiet" href="/microsoft/manage">Manage</a></div></section>`
      : html`<section class="card attention"><h2>Microsoft 365 needs your attention</h2><p>${integration.failure?.advice ?? 'The connection does not work any more. Connect again.'}</p>
<div class="row">${connectForm(session, 'Reconnect')} <a class="button quiet" href="/microsoft/manage">Manage</a></div></section>`
  return page({ ...frame, title: `Good day, ${session.user.name}` }, body)
}

export function connectPage(frame: Omit<Frame, 'title'> & { session: Session }): string {
  return page({ ...frame, title: 'Connect to Microsoft' }, html`<div class="card"><p>You will sign in at Microsoft and approve that MEGDocs reads your profile and reads and writes your Microsoft 365 files.</p>
<div class="row">${connectForm(frame.session)} <a href="/">Not now</a></div></div>`)
}

export function documentsPage(frame: Omit<Frame, 'title'> & { session: Session }, token: Token, me: Me, files: readonly DriveItem[]): string {
  return page({ ...frame, title: 'Your documents' }, html`${degraded(token)}<section class="card"><h2>OneDrive of ${me.displayName}</h2>
<ul class="plain">${files.map((file) => html`<li><a href="/documents/${encodeURIComponent(file.id)}">${file.name}</a> <span class="soft">${file.size !== undefined && `${file.size} bytes`}</span></li>`)}</ul></section>${tokenFacts(token)}`)
}

export function documentPage(frame: Omit<Frame, 'title'> & { session: Session }, token: Token, file: DriveItem, text: string): string {
  return page({ ...frame, title: file.name }, html`${degraded(token)}<form class="card stack" method="post" action="/documents/${encodeURIComponent(file.id)}">${csrfField(frame.session)}
<label for="text">Text</label><textarea id="text" name="text">
${text}</textarea><div class="row"><button>Save to Microsoft 365</button> <a href="/documents">Back to the list</a></div></form>${tokenFacts(token)}`)
}

function degraded(token: Token): Html | undefined {
  return token.degraded && html`<div class="card attention" role="status"><h2>Working, but not refreshed</h2><p>The access token is still valid for ${token.expires_in} s, but could not be refreshed (${token.degraded.reason}). Nothing to do now.</p></div>`
}

function tokenFacts(token: Token): Html {
  return html`<section class="card"><h2>The token that MEGDocs used</h2><dl><dt>Account</dt><dd>${token.account?.username}</dd><dt>Generation</dt><dd id="generation">${token.generation}</dd>
<dt>Valid for</dt><dd>${token.expires_in} s</dd><dt>Permissions</dt><dd>${token.scope}</dd></dl></section>`
}

/** What stands in the way, who can do something, and the one button that may help. */
export function problemPage(frame: Omit<Frame, 'title'> & { session: Session }, problem: Problem): string {
  const { session } = frame
  const title = problem.code === 'not_connected' ? 'Microsoft is not connected' : problem.code === 'reconnect_required' ? 'Microsoft needs your attention' : 'This did not work'
  return page({ ...frame, title }, html`<div class="card attention" role="alert"><p>${problem.advice ?? problem.title ?? 'Please try again later.'}</p>
<p class="soft">Code <code>${problem.code}</code>${problem.reason && html`, reason <code>${problem.reason}</code>`}${problem.microsoft?.aadsts !== undefined && html`, AADSTS${problem.microsoft.aadsts}`}${problem.who_acts && html`, to be solved by: ${problem.who_acts}`}${problem.retry_after !== undefined && html`, next try possible in ${problem.retry_after} s`}</p>
<div class="row">${wayOn(session, problem)} <a href="/">Home</a></div></div>`)
}

function wayOn(session: Session, problem: Problem): Html {
  if (problem.code === 'not_connected') return connectForm(session)
  if (problem.code === 'reconnect_required') return connectForm(session, 'Reconnect')
  if (problem.code === 'account_mismatch') return connectForm(session, 'Connect another account', true)
  return html`<a class="button" href="/documents">Try again</a>`
}

export function plainPage(frame: Frame, text: string): string {
  return page(frame, html`<div class="card"><p>${text}</p><p><a href="/">Home</a></p></div>`)
}
