// What every page must look like, checked in the page itself: strings, because they run in the browser.

export interface StateFacts {
  /** Empty: all is well. */
  faults: string[]
  /** CSS pixels, for the sheet of all pages. */
  height: number
}

/** Where no browser may put a hyphen of its own: names, addresses, codes, buttons, links, headlines. */
const NO_HYPHEN = 'h1, h2, h3, bdi, code, textarea, a, button, dd, .status, .account, header, footer'

/**
 * A word that is broken inside, while the browser may put in hyphens. Texts have their own places to break (U+00AD).
 * An address in running text counts as one, wherever it stands.
 */
const HYPHENS = `
  const isFree = (text) => /[\\u00AD\\u2010\\u2013\\u2014\\/?&=-]/.test(text)
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const range = document.createRange()
  while (walker.nextNode()) {
    const node = walker.currentNode
    const element = node.parentElement
    if (getComputedStyle(element).hyphens !== 'auto') continue
    const isNamed = element.closest(${JSON.stringify(NO_HYPHEN)}) !== null
    for (const { 0: word, index } of node.data.matchAll(/[^\\s]{4,}/g)) {
      if (!isNamed && !/[a-z][.@][a-z]/i.test(word)) continue
      range.setStart(node, index)
      range.setEnd(node, index + word.length)
      if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size < 2) continue
      let last
      for (let at = 0; at < word.length; at++) {
        range.setStart(node, index + at)
        range.setEnd(node, index + at + 1)
        const { top, width } = range.getBoundingClientRect()
        if (width === 0) continue
        if (last !== undefined && top - last > 2 && !isFree(word.slice(at - 1, at)))
          faults.push('hyphen of the browser in <' + element.localName + '>: ' + word.slice(0, at) + '-|' + word.slice(at))
        last = top
      }
    }
  }`

/** Content wider than the page, or text that sticks out of its box or is cut. */
const FITS = `
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) {
    const widest = [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > clientWidth + 1).at(-1)
    faults.push(scrollWidth + ' px of content in ' + clientWidth + ' px: ' + (widest ? widest.outerHTML.slice(0, 120) : ''))
  }
  for (const box of document.querySelectorAll('h1, h2, h3, p, li, dt, dd, .button, .notice, .card, label, textarea, code, nav')) {
    const { overflowX, overflowY, display } = getComputedStyle(box)
    if (display === 'inline') continue
    if (box.scrollWidth > box.clientWidth + 1) faults.push('text sticks out of ' + box.outerHTML.slice(0, 120))
    if (box.localName !== 'textarea' && (overflowX !== 'visible' || overflowY !== 'visible') && box.scrollHeight > box.clientHeight + 1)
      faults.push('text is cut in ' + box.outerHTML.slice(0, 120))
  }`

/** Only what does not depend on the width. `actions`: the closed list of words on buttons. */
const words = (actions: readonly string[], product: string): string => `
  const actions = ${JSON.stringify(actions)}
  const headings = [...document.querySelectorAll('h1')].map(({ textContent }) => textContent)
  if (headings.length !== 1 || document.title !== headings[0] + ' – ' + ${JSON.stringify(product)})
    faults.push('title "' + document.title + '", headings "' + headings.join('", "') + '"')
  const buttons = [...document.querySelectorAll('main .button, main button, main .plain')]
  for (const { textContent } of buttons)
    if (!actions.includes(textContent.trim())) faults.push('not in the list of actions: ' + textContent)
  const filled = buttons.filter((one) => one.matches('.button:not(.second)'))
  if (buttons.some((one) => one.matches('.button')) && filled.length !== 1)
    faults.push(filled.length + ' filled buttons: ' + filled.map(({ textContent }) => textContent).join(', '))
  if (buttons.length === 0) faults.push('no way on')
  if (document.querySelectorAll('header nav a[hreflang]').length < 2) faults.push('no language switch')`

/** Filled and outlined buttons must differ, and be seen, whatever the colours. */
const BUTTONS = `
  const page = getComputedStyle(document.querySelector('.card')).backgroundColor
  for (const button of document.querySelectorAll('main .button')) {
    const { backgroundColor, borderTopColor, color } = getComputedStyle(button)
    const isFilled = backgroundColor !== page && !/, 0\\)$/.test(backgroundColor)
    if (isFilled === button.matches('.second')) faults.push('filled or not: ' + button.textContent + ' ' + backgroundColor)
    if (color === backgroundColor || (!isFilled && borderTopColor === page)) faults.push('cannot be seen: ' + button.textContent)
  }`

const FORCED = `
  if (!matchMedia('(forced-colors: active)').matches) faults.push('the colours are not forced')`
const DARK = `
  if (!matchMedia('(prefers-color-scheme: dark)').matches) faults.push('not dark')`

// target-size (WCAG 2.2, 2.5.8) is off by default. Without preload, axe fetches nothing. Contrast takes a third of the
// time, and no colour depends on the language.
const axe = (contrast: boolean): string => `
  const { violations } = await axe.run(document, {
    preload: false, resultTypes: ['violations'], rules: { 'target-size': { enabled: true }, 'color-contrast': { enabled: ${contrast} } },
  })
  for (const { id, nodes } of violations)
    for (const { target, failureSummary } of nodes)
      faults.push('axe ' + id + ' at ' + target.join(' ') + ': ' + (failureSummary ?? '').replace(/\\s+/g, ' '))`

const script = (...parts: string[]): string => `(async () => {
  const faults = []
  ${parts.map((part) => `{${part}\n  }`).join('\n')}
  return { faults, height: document.documentElement.scrollHeight }
})()`

/** `contrast`: whether axe measures it too. */
export const wholeCheck = (actions: readonly string[], product: string, contrast: boolean): string =>
  script(words(actions, product), FITS, HYPHENS, axe(contrast))
export const layoutCheck = script(FITS, HYPHENS)
export const forcedColoursCheck = script(FORCED, FITS, BUTTONS)
export const darkCheck = script(DARK, BUTTONS, axe(true))
