/** The one stylesheet of the simulated pages: plain, light and dark, from 320 px. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #5c5c5c; --paper: #fff; --ground: #eef1f4;
  --line: #d0d4d9; --act: #0b5cad; --act-ink: #fff; --mark: #ffd43b; --mark-ink: #332700 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f0f0f0; --soft: #b3b3b3; --paper: #232629; --ground: #15171a;
    --line: #43484e; --act: #6cb2f7; --act-ink: #06121f }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.45 system-ui, 'Segoe UI', sans-serif }
.banner { background: repeating-linear-gradient(135deg, var(--mark) 0 22px, #ffe27a 22px 44px); color: var(--mark-ink);
  padding: .6rem 1rem; text-align: center }
.banner strong { display: block }
main { max-width: 27.5rem; margin: 2.5rem auto; padding: 2rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 4px }
h1 { font-size: 1.4rem; font-weight: 600; margin: 0 0 .25rem; overflow-wrap: anywhere }
p { margin: 0 0 1rem; overflow-wrap: anywhere }
.soft { color: var(--soft); font-size: .875rem }
ul { list-style: none; margin: 1rem 0; padding: 0 }
.accounts { margin: 1rem -.75rem 0 }
.accounts li + li { border-top: 1px solid var(--line) }
.accounts button { display: block; width: 100%; min-height: 3.5rem; padding: .6rem .75rem; text-align: left;
  background: none; color: inherit; border: 0; font: inherit; cursor: pointer }
.accounts button:hover { background: color-mix(in srgb, var(--act) 12%, transparent) }
.accounts span { display: block; overflow-wrap: anywhere }
.permissions li { padding: .35rem 0 }
.permissions span { display: block }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; justify-content: flex-end; margin-top: 1.5rem }
.actions button { min-height: 2.75rem; min-width: 7rem; padding: .4rem 1rem; font: inherit; cursor: pointer;
  border: 1px solid var(--line); background: transparent; color: inherit; border-radius: 2px }
.actions .main { background: var(--act); color: var(--act-ink); border-color: var(--act) }
a { color: var(--act) }
.link { background: none; border: 0; padding: .5rem 0; font: inherit; color: var(--act);
  text-decoration: underline; cursor: pointer; text-align: left }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px }
dl { font-size: .8125rem; color: var(--soft); margin: 0; overflow-wrap: anywhere }
dt { font-weight: 600 }
dd { margin: 0 0 .4rem }
label { display: flex; gap: .6rem; align-items: baseline; margin: .75rem 0 }
@media (max-width: 30rem) { main { margin: 0; padding: 1.25rem; border: 0; border-radius: 0; min-height: 80vh } }
`
