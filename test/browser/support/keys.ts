import type { Page } from 'playwright-core'

// Where Tab leads, and whether one sees it (WCAG 2.2, 2.1.1 and 2.4.7).

export interface Focused {
  name: string
  /** Place among what can be used in the page's main part; -1: it is none of them. */
  index: number
  /** Whether a person can see where they are. */
  visible: boolean
}

const USABLE = 'main a, main button, main textarea, main select, main input:not([type="hidden"])'
const NAME = '((element) => (element.innerText || element.id || element.name).split("\\n")[0].trim())'

const FOCUSED = `(() => {
  const element = document.activeElement
  if (!element || element === document.body) return null
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  const { top, bottom, width } = element.getBoundingClientRect()
  const onScreen = width > 0 && bottom > 0 && top < innerHeight
  return {
    name: ${NAME}(element),
    index: [...document.querySelectorAll('${USABLE}')].indexOf(element),
    visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && onScreen,
  }
})()`

/** What has the focus; null: nothing. */
export async function focused(page: Page): Promise<Focused | null> {
  return (await page.evaluate(FOCUSED)) as Focused | null
}

/** Tabs once through the page. What cannot be reached, and what one does not see the focus on, in words; empty is good. */
export async function outOfReach(page: Page): Promise<string[]> {
  const names = (await page.evaluate(`[...document.querySelectorAll('${USABLE}')].map(${NAME})`)) as string[]
  const left = new Set(names.keys())
  const faults: string[] = []
  // Two more: one for the browser itself, where Tab comes by at the end, one for a page that had a focus already.
  for (let presses = 0; left.size > 0 && presses < names.length + 2; presses++) {
    await page.keyboard.press('Tab')
    const stop = await focused(page)
    if (stop === null || !left.delete(stop.index)) continue
    if (!stop.visible) faults.push(`the focus on "${stop.name}" cannot be seen`)
  }
  return [...faults, ...[...left].map((index) => `"${names[index]}" is out of the keyboard's reach`)]
}
