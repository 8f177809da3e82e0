import { readFileSync } from 'node:fs'

/** Commands of an entry of docs/runbooks.md, in its order: code that begins with `broker`, and lines of code blocks. */
export function commandsOf(heading: string): string[] {
  const text = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8')
  const start = text.indexOf(`\n### ${heading}\n`)
  if (start < 0) throw new Error(`docs/runbooks.md has no entry "${heading}"`)
  const [entry = ''] = text.slice(start + heading.length + 6).split(/\n##+ /)
  return [...entry.matchAll(/```\n([^]*?)```|`(broker [^`]+)`/g)].flatMap(([, block, code]) =>
    code === undefined
      ? block!
          .trimEnd()
          .split('\n')
          .map((line) => line.trim())
      : [code],
  )
}

/** Puts values in place of `<…>`. Throws if one is left. */
export function fillIn(command: string, values: Readonly<Record<string, string>> = {}): string {
  const filled = Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`<${name}>`, value), command)
  if (/<[^>]*>/.test(filled)) throw new Error(`no value for a placeholder: ${filled}`)
  return filled
}

/** Code blocks of an entry of docs/runbooks.md of any level, in its order: those of this language, or without any. */
export function blocksOf(heading: string, language = ''): string[] {
  const text = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8')
  const [, entry] = text.split(new RegExp(`^#{2,4} ${heading}$`, 'm'))
  if (entry === undefined) throw new Error(`docs/runbooks.md has no entry "${heading}"`)
  const [own = ''] = entry.split(/^#{2,4} /m)
  return [...own.matchAll(/^( *)```(\w*)\n([^]*?)^ *```$/gm)].flatMap(([, indent = '', named, block = '']) =>
    named === language ? [block.replaceAll(new RegExp(`^${indent}`, 'gm'), '')] : [],
  )
}

/** The line of docs/runbooks.md that says what `broker …` stands for. */
export function brokerFunction(): string {
  const text = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8')
  const [line] = /^broker\(\) .*$/m.exec(text) ?? []
  if (line === undefined) throw new Error('docs/runbooks.md does not say what `broker` stands for')
  return line
}
