import { createHash } from 'node:crypto'

// Hyphens are those of the texts only: a browser's own would stand in addresses and names as if they belonged there.
// Every pair of colours keeps 4.5:1 for text and 3:1 for borders and focus (WCAG 2.2, 1.4.3 and 1.4.11), light and
// dark.
/** The one stylesheet. No address in it: nothing is fetched. */
export const stylesheet = `
:root {
  color-scheme: light dark;
  --page: #f3f5f7; --card: #fff; --text: #17212b; --quiet: #4c5965; --line: #d3dae1; --edge: #6b7884;
  --link: #0a558c; --action: #0a558c; --action-over: #073f69; --on-action: #fff;
  --danger: #a3201d; --danger-over: #7c1614;
  --good: #1c6b3c; --good-soft: #eaf5ee; --warn: #7a4d00; --warn-soft: #fdf4e1; --bad: #a3201d; --bad-soft: #fcefee;
  --info: #0a558c; --info-soft: #eaf3fa; --focus: #b34700;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11171d; --card: #1a222b; --text: #e7edf2; --quiet: #a9b6c2; --line: #36424e; --edge: #8796a4;
    --link: #85c1f2; --action: #85c1f2; --action-over: #b3d9f8; --on-action: #0c1a26;
    --danger: #ffa39b; --danger-over: #ffc6c1;
    --good: #7fd1a0; --good-soft: #16291f; --warn: #efc36c; --warn-soft: #2b2314; --bad: #ffa39b; --bad-soft: #2c1d1f;
    --info: #85c1f2; --info-soft: #15273a; --focus: #ffb066;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; background: var(--page); color: var(--text); overflow-wrap: anywhere; hyphens: manual;
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif;
}
header, main, footer { max-width: 44rem; margin: 0 auto; padding: 0 1rem; }
header {
  padding-top: 1.5rem; padding-bottom: 1rem; display: flex; flex-wrap: wrap; gap: 0 .75rem; align-items: baseline;
}
header b { font-size: 1.25rem; letter-spacing: -.01em; }
nav { flex: 1 0 auto; max-width: 100%; }
nav ul { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0; padding: 0; list-style: none; }
nav li, nav li + li { margin: 0; font-size: .9375rem; }
nav a { display: inline-block; }
nav li[aria-current] { font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1rem; }
h1, h2, h3 { line-height: 1.25; letter-spacing: -.01em; margin: 0; text-wrap: balance; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1.0625rem; letter-spacing: 0; }
p, ul, ol, dl { margin: .75rem 0 0; }
ul, ol { padding-left: 1.25rem; }
li + li { margin-top: .35rem; }
li ul { margin-top: .35rem; }
a { color: var(--link); text-underline-offset: .15em; text-decoration-thickness: max(1px, .06em); }
a:hover { text-decoration-thickness: max(2px, .12em); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 3px; border-radius: .25rem; }
code, textarea {
  font: .9375rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
.quiet { color: var(--quiet); }
.lead { font-size: 1.125rem; }
.account { font-weight: 600; }
.notice {
  margin-top: 1.25rem; padding: .875rem 1rem; border-left: .3rem solid var(--tone); border-radius: .375rem;
  background: var(--soft);
}
.notice.first { margin-top: 0; }
.notice h1, .notice h2 { margin: 0; }
.good { --tone: var(--good); --soft: var(--good-soft); }
.warn { --tone: var(--warn); --soft: var(--warn-soft); }
.bad { --tone: var(--bad); --soft: var(--bad-soft); }
.info { --tone: var(--info); --soft: var(--info-soft); }
.status { display: inline-flex; align-items: center; gap: .5rem; color: var(--tone); font-weight: 600; }
.icon {
  flex: none; width: 1.25em; height: 1.25em;
  fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round;
}
.facts { display: grid; grid-template-columns: minmax(0, 1fr); }
.facts div { padding: .75rem 0; border-top: 1px solid var(--line); }
.facts div:first-child { border-top: 0; }
.facts + h2 { margin-top: 1.25rem; }
.facts .permissions { margin: 0; }
dt { color: var(--quiet); font-size: .9375rem; }
dd { margin: 0; }
.permissions { list-style: none; padding: 0; }
.permissions li { display: flex; gap: .625rem; align-items: flex-start; }
.permissions .icon { margin-top: .15em; }
.permissions .quiet { font-size: .9375rem; }
.granted .icon { color: var(--good); }
.missing .icon { color: var(--warn); }
.asked .icon { color: var(--quiet); }
.actions { display: flex; flex-wrap: wrap; gap: .75rem 1rem; align-items: center; margin-top: 1.5rem; }
.actions form { margin: 0; }
.actions + .lead { margin-top: 2rem; }
.button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 2.75rem; padding: .5rem 1.125rem;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
  border: 2px solid var(--action); border-radius: .5rem; background: var(--action); color: var(--on-action);
}
.button:hover { background: var(--action-over); border-color: var(--action-over); }
.button.second { background: transparent; color: var(--link); border-color: var(--edge); }
.button.second:hover { border-color: var(--link); }
.button.danger { background: var(--danger); border-color: var(--danger); }
.button.danger:hover { background: var(--danger-over); border-color: var(--danger-over); }
.button:focus-visible { border-radius: .5rem; }
.plain { display: inline-block; padding: .5rem 0; }
label { display: block; margin-top: 1rem; font-weight: 600; }
textarea {
  display: block; width: 100%; margin-top: .375rem; padding: .75rem; resize: vertical; field-sizing: content;
  color: var(--text); background: var(--page); border: 1px solid var(--edge); border-radius: .5rem;
}
footer { padding-top: 1.25rem; padding-bottom: 2rem; color: var(--quiet); font-size: .9375rem; }
footer p { margin: .25rem 0 0; }
footer code { user-select: all; -webkit-user-select: all; }
@media (min-width: 40rem) {
  header, main, footer { padding-left: 1.5rem; padding-right: 1.5rem; }
  .card { padding: 2rem 2.25rem; }
  .notice { padding: 1rem 1.25rem; }
  nav ul { justify-content: flex-end; }
  h1 { font-size: 1.875rem; }
  .facts div { display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: 1rem; }
}
@media (forced-colors: active) {
  .notice, .card { border: 1px solid; }
  .button { border-color: LinkText; }
  .button:not(.second), .button:not(.second):hover {
    forced-color-adjust: none; background: LinkText; border-color: LinkText; color: Canvas; outline-color: CanvasText;
  }
}
`

const hash = createHash('sha256').update(stylesheet).digest('base64')

/**
 * The `Content-Security-Policy` of every page (docs/security.md#headers-of-pages): our stylesheet by its hash, forms
 * only to ourselves, no script, no frame. `img-src 'self'` is for the favicon that browsers ask for by themselves.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${hash}'`,
  "img-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')
