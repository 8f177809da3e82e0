// A strict reader of the little HTML our pages are made of. What it does not know, it refuses: so a page that reads
// well is balanced, quoted, free of script and of anything fetched from elsewhere.

const VOID = new Set(['meta', 'br', 'input', 'path'])
const KNOWN = new Set([
  'html',
  'head',
  'meta',
  'title',
  'style',
  'body',
  'header',
  'main',
  'nav',
  'footer',
  'section',
  'div',
  'span',
  'b',
  'p',
  'h1',
  'h2',
  'h3',
  'ul',
  'ol',
  'li',
  'dl',
  'dt',
  'dd',
  'a',
  'strong',
  'code',
  'bdi',
  'br',
  'time',
  'svg',
  'path',
  'form',
  'input',
  'button',
  'label',
  'textarea',
])
const TAG = /^<(\/?)([a-z][a-z0-9]*)((?: [a-zA-Z-]+(?:="[^"<>]*")?)*)(\/?)>/

export interface Tag {
  name: string
  attributes: Record<string, string>
  /** Text directly and indirectly inside. */
  text: string
}

function decode(text: string): string {
  const entities: Record<string, string> = {
    '&amp;': '&',
    '&lt;': '<',
    '&gt;': '>',
    '&quot;': '"',
    '&#39;': "'",
    '&#96;': '`',
  }
  return text.replace(/&[^;]*;?/g, (entity) => {
    const character = entities[entity]
    if (character === undefined) throw new Error(`not an entity of ours: ${entity}`)
    return character
  })
}

function attributesOf(source: string): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const [, name = '', value = ''] of source.matchAll(/ ([a-zA-Z-]+)(?:="([^"<>]*)")?/g)) {
    if (name in attributes) throw new Error(`attribute twice: ${name}`)
    attributes[name] = decode(value)
  }
  return attributes
}

/** Every element of the page in order. Throws at the first thing that is not plain, balanced, known markup. */
export function read(page: string): Tag[] {
  const doctype = '<!DOCTYPE html>\n'
  if (!page.startsWith(doctype)) throw new Error('no doctype')
  const tags: Tag[] = []
  const open: Tag[] = []
  let rest = page.slice(doctype.length)
  while (rest !== '') {
    const tag = TAG.exec(rest)
    if (tag === null) {
      const end = rest.search(/<|$/)
      if (end === 0) throw new Error(`broken markup at ${rest.slice(0, 60)}`)
      const text = open.at(-1)?.name === 'style' ? rest.slice(0, end) : decode(rest.slice(0, end))
      for (const tag of open) tag.text += text
      if (open.length === 0 && text.trim() !== '') throw new Error('text outside of the page')
      rest = rest.slice(end)
      continue
    }
    const [whole, closing, name = '', attributes = ''] = tag
    if (!KNOWN.has(name)) throw new Error(`element not known: ${name}`)
    if (closing === '/') {
      const last = open.pop()
      if (last?.name !== name) throw new Error(`</${name}> closes <${last?.name}>`)
    } else {
      const found = { name, attributes: attributesOf(attributes), text: '' }
      tags.push(found)
      if (!VOID.has(name)) open.push(found)
    }
    rest = rest.slice(whole.length)
  }
  if (open.length > 0) throw new Error(`not closed: ${open.map(({ name }) => name).join(' ')}`)
  return tags
}

/**
 * The page without its content: elements and the names of their attributes. The same for any input, or input became
 * markup.
 */
export function skeleton(page: string): string[] {
  return read(page).map(({ name, attributes }) => [name, ...Object.keys(attributes)].join(' '))
}
