/**
 * One calm stylesheet, light and dark, from 320 px. Green, so that nobody takes MEGDocs' pages for the broker's or
 * Microsoft's.
 */
export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --ink: #16241d; --soft: #51635a; --paper: #ffffff; --ground: #f1f5f2; --line: #cfdad3;
  --brand: #0b6b43; --on-brand: #ffffff; --warn: #8a4b00; --warn-ground: #fff4e2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e7efe9; --soft: #a9bab0; --paper: #18211c; --ground: #101613; --line: #35443b;
    --brand: #6fd3a3; --on-brand: #08170f; --warn: #ffc27a; --warn-ground: #33240f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
.simulated {
  background: repeating-linear-gradient(135deg, #ffd84d 0 1.2rem, #ffe27a 1.2rem 2.4rem); color: #332a00;
  text-align: center; font-weight: 600; padding: .3rem 1rem; font-size: .875rem;
}
header { background: var(--paper); border-bottom: 1px solid var(--line); }
header > div, main { max-width: 56rem; margin: 0 auto; padding: 1rem; }
header > div { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: center; }
.brand { font-weight: 700; font-size: 1.2rem; color: var(--brand); text-decoration: none; margin-right: auto; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1rem 0; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
.card {
  background: var(--paper); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.1rem 1.25rem; margin: 0 0 1.25rem;
}
.card > :last-child { margin-bottom: 0; }
.attention { border-left: .35rem solid var(--warn); background: var(--warn-ground); }
.soft { color: var(--soft); font-size: .9rem; }
a { color: var(--brand); text-underline-offset: .15em; }
form { display: inline; }
form.stack { display: block; }
button, .button {
  display: inline-block; font: inherit; font-weight: 600; padding: .55rem 1.1rem; min-height: 2.75rem;
  border-radius: .4rem; border: 1px solid var(--brand); background: var(--brand); color: var(--on-brand);
  text-decoration: none; cursor: pointer;
}
button.quiet, .button.quiet { background: transparent; color: var(--brand); }
:focus-visible { outline: 3px solid #d98a00; outline-offset: 2px; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin: .75rem 0; }
ul.plain { list-style: none; margin: 0; padding: 0; }
ul.plain > li { padding: .55rem 0; border-top: 1px solid var(--line); }
ul.plain > li:first-child { border-top: 0; }
ul.plain > li:has(> form) {
  display: grid; grid-template-columns: 19rem minmax(0, 1fr); gap: .25rem 1rem; align-items: center;
}
ul.plain > li > form > button { width: 100%; }
label { display: block; font-weight: 600; margin-bottom: .35rem; }
textarea {
  width: 100%; min-height: 14rem; font: 1rem/1.5 ui-monospace, Menlo, Consolas, monospace; color: inherit;
  background: var(--ground); border: 1px solid var(--soft); border-radius: .4rem; padding: .75rem;
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; vertical-align: top; border-top: 1px solid var(--line); }
aside.panel { border: 2px dashed #b08900; border-radius: .6rem; padding: 1rem 1.25rem; margin: 2rem 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 40rem) { ul.plain > li:has(> form) { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
`
