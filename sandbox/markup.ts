// Reads what a browser without JavaScript needs of an HTML page: text, links, forms, refresh. It works for our own
// pages and the simulator's, which are well formed, not for all pages of the web.

export interface Form {
  action: string
  method: 'get' | 'post'
  /** Values as they would be sent, without buttons. */
  fields: Record<string, string>
  buttons: Button[]
}

export interface Button {
  id: string
  text: string
  name?: string
  value?: string
}

export interface Link {
  id: string
  text: string
  href: string
}

export interface Markup {
  title: string
  /** The text of the page, with white space collapsed. */
  text: string
  links: Link[]
  forms: Form[]
  /** Target of <meta http-equiv="refresh">. */
  refresh?: string
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal) return String.fromCodePoint(Number(decimal))
    return ENTITIES[name?.toLowerCase() ?? ''] ?? whole
  })
}

function words(html: string): string {
  const text = html.replace(/<(style|title)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]+>/g, ' ')
  return decode(text).replace(/\s+/g, ' ').trim()
}

function attributesOf(tag: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const [, name = '', quoted, single, bare] of tag.matchAll(
    /\s([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/gi,
  )) {
    found.set(name.toLowerCase(), decode(quoted ?? single ?? bare ?? ''))
  }
  return found
}

/** All elements of this name: attributes and content. Elements without an end tag have empty content. */
function elements(html: string, name: string): { attributes: Map<string, string>; inner: string }[] {
  const end = name === 'input' || name === 'meta' ? '' : `([\\s\\S]*?)</${name}>`
  return [...html.matchAll(new RegExp(`(<${name}\\b[^>]*>)${end}`, 'gi'))].map(([, tag = '', inner = '']) => ({
    attributes: attributesOf(tag),
    inner,
  }))
}

export function readMarkup(html: string): Markup {
  const meta = elements(html, 'meta').find(
    ({ attributes }) => attributes.get('http-equiv')?.toLowerCase() === 'refresh',
  )
  const refresh = /^\s*\d+\s*;\s*url\s*=\s*(.+)$/i.exec(meta?.attributes.get('content') ?? '')?.[1]
  return {
    title: words(elements(html, 'title')[0]?.inner ?? ''),
    text: words(html),
    links: elements(html, 'a').map(({ attributes, inner }) => ({
      id: attributes.get('id') ?? '',
      text: words(inner),
      href: attributes.get('href') ?? '',
    })),
    forms: elements(html, 'form').map(({ attributes, inner }) => readForm(attributes, inner)),
    ...(refresh === undefined ? {} : { refresh: refresh.trim() }),
  }
}

function readForm(attributes: Map<string, string>, inner: string): Form {
  const fields: Record<string, string> = {}
  const buttons: Button[] = []
  const button = (from: Map<string, string>, text: string): void => {
    const [name, value] = [from.get('name'), from.get('value')]
    buttons.push({
      id: from.get('id') ?? '',
      text,
      ...(name === undefined ? {} : { name }),
      ...(value === undefined ? {} : { value }),
    })
  }
  for (const { attributes: input } of elements(inner, 'input')) {
    const [type, name] = [input.get('type') ?? 'text', input.get('name')]
    const isChoice = type === 'checkbox' || type === 'radio'
    if (type === 'submit') button(input, input.get('value') ?? '')
    else if (name !== undefined && (!isChoice || input.has('checked')))
      fields[name] = input.get('value') ?? (isChoice ? 'on' : '')
  }
  for (const { attributes: area, inner: text } of elements(inner, 'textarea')) {
    fields[area.get('name') ?? ''] = decode(text).replace(/^\r?\n/, '')
  }
  for (const { attributes: own, inner: text } of elements(inner, 'button')) button(own, words(text))
  const method = attributes.get('method')?.toLowerCase() === 'post' ? 'post' : 'get'
  return { action: attributes.get('action') ?? '', method, fields, buttons }
}
