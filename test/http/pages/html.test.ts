import t from 'tap'
import { html, raw, safeUrl } from '../../../src/http/pages/html.ts'

t.test('text is escaped, also in arrays; fragments are kept; absent values leave nothing', async (t) => {
  const inner = html`<b>${'<i>'}</b>`
  t.equal(
    html`<p title="${'"\'`'}">${inner}${[inner, '&', 7]}${undefined}${false}</p>`.toString(),
    '<p title="&quot;&#39;&#96;"><b>&lt;i&gt;</b><b>&lt;i&gt;</b>&amp;7</p>',
  )
  t.equal(html`${raw('<hr>')}`.toString(), '<hr>')
})

t.test('an object that only looks like markup is not taken for it', async (t) => {
  const fake = { toString: () => '<script>' } as unknown as string
  t.throws(() => html`${fake}`)
})

t.test('addresses that are no http, https, mailto or path of ours become the top of the site', async (t) => {
  const good = [
    'https://a.example/x?y=1',
    'http://127.0.0.1:8080/',
    'mailto:?subject=x',
    '/accounts/',
    '/',
    '?confirm=disconnect',
  ]
  const bad = [
    'javascript:alert(1)',
    'JavaScript:x',
    ' javascript:x',
    'data:text/html,x',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil',
    'https://',
    'x',
    '',
  ]
  for (const url of good) t.equal(safeUrl(url), url)
  for (const url of bad) t.equal(safeUrl(url), '/', url)
})
