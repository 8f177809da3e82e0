import type { Page } from 'playwright-core'

// The focus order of Tab, and whether the focus is visible (WCAG 2.2, 2.1.1 and 2.4.7).

export interface Focused {
  name: string
  /** Index among the usable elements of the page's main part; -1: none of them. */
  index: number
  /** Whether the focus is visible. */
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

/** The element with the focus; null: none. */
export async function focused(page: Page): Promise<Focused | null> {
  return (await page.evaluate(FOCUSED)) as Focused | null
}

/**
 * Tabs once through the page. Describes elements that are not reached or have an invisible focus; empty if all is well.
 */
export async function keyboardFaults(page: Page): Promise<string[]> {
  const names = (await page.evaluate(`[...document.querySelectorAll('${USABLE}')].map(${NAME})`)) as string[]
  const left = new Set(names.keys())
  const faults: string[] = []
  // More: Tab also reaches the browser itself and the languages, and an element may already have the focus.
  for (let presses = 0; left.size > 0 && presses < names.length + 6; presses++) {
    await page.keyboard.press('Tab')
    const stop = await focused(page)
    if (stop === null || !left.delete(stop.index)) continue
    if (!stop.visible) faults.push(`the focus on "${stop.name}" cannot be seen`)
  }
  return [...faults, ...[...left].map((index) => `"${names[index]}" cannot be reached by keyboard`)]
}
