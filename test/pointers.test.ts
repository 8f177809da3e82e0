import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

// Every pointer in a comment or document leads to a file and heading of this repository. There is no list of
// exceptions.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Everything that people read and write. Generated files and fixtures are left out. */
const READ = /\.(?:ts|py|md|ya?ml|tpl|txt|sql|html|toml|sh)$|(?:^|\/)(?:Dockerfile|run|install-tools)$/
const GENERATED = /^(?:package-lock\.json|openapi\/(?:openapi|released)\.json|src\/db\/migrations\/meta\/)/

/** Tracked files and new ones, without what .gitignore names. */
function files(): string[] {
  const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  return stdout.split('\n').filter((path) => READ.test(path) && !GENERATED.test(path) && existsSync(join(ROOT, path)))
}
const FILES = files()
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const isFile = (path: string): boolean => existsSync(join(ROOT, path)) && statSync(join(ROOT, path)).isFile()

interface Found {
  /** `file:line` where the pointer stands. */
  at: string
  pointer: string
  /** The file that it means, from the root. */
  file: string
  anchor?: string
}

/** Markdown without what stands in fenced blocks; lines keep their numbers. */
function withoutFences(text: string): string {
  let fenced = false
  return text
    .split('\n')
    .map((line) => {
      const isFence = /^\s*(?:```|~~~)/.test(line)
      if (isFence) fenced = !fenced
      return isFence || fenced ? '' : line
    })
    .join('\n')
}

const slugs = new Map<string, Set<string>>()
/** Anchors of a Markdown file as GitHub makes them. */
function anchorsOf(file: string): Set<string> {
  const known = slugs.get(file)
  if (known !== undefined) return known
  const found = new Set<string>()
  for (const [, title = ''] of withoutFences(read(file)).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    let unique = slug
    for (let n = 1; found.has(unique); n++) unique = `${slug}-${n}`
    found.add(unique)
  }
  slugs.set(file, found)
  return found
}

function eachLine(path: string, text: string, find: (line: string) => Iterable<Omit<Found, 'at'>>): Found[] {
  return text
    .split('\n')
    .flatMap((line, i) => Array.from(find(line), (found) => ({ at: `${path}:${i + 1}`, ...found })))
}

function pointer(whole: string, file: string, anchor: string | undefined): Omit<Found, 'at'> {
  return { pointer: whole, file, ...(anchor === undefined ? {} : { anchor }) }
}

/** A document by its path from the root, with or without an anchor, in any file. */
const NAMED =
  /(?<![\w./:(-])((?:docs\/[\w/-]+|(?:[\w-]+\/)*(?:README|CONTRIBUTING|SECURITY|CHANGELOG))\.md)(?:#([\w-]+))?/g
/** `[text](target)` and `[text]: target` in Markdown: a path from the file's own folder. */
const LINK = /\]\(([^()\s]+)\)|^\[[^\]]+\]: +(\S+)/g

function pointersOf(path: string): Found[] {
  const named = eachLine(path, read(path), (line) =>
    Array.from(line.matchAll(NAMED), ([whole, file, anchor]) => pointer(whole, file!, anchor)),
  )
  if (!path.endsWith('.md')) return named
  const links = eachLine(path, withoutFences(read(path)), (line) =>
    Array.from(line.matchAll(LINK), ([, inline, reference]) => (inline ?? reference)!)
      .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
      .map((target) => {
        const [name = '', anchor] = target.split('#')
        const file = name === '' ? path : relative(ROOT, join(ROOT, dirname(path), name))
        return pointer(target, file, anchor)
      }),
  )
  return [...named, ...links]
}

const all = FILES.flatMap(pointersOf)

t.test('the reader of pointers sees comments, documents and links', async (t) => {
  t.ok(FILES.length > 300)
  t.ok(all.some(({ at, file }) => at.startsWith('README.md:') && file === 'docs/design.md'))
  t.ok(all.some(({ at, anchor }) => at.startsWith('docs/') && anchor !== undefined))
  t.ok(anchorsOf('docs/design.md').has('refresh'))
  const text = ['# A `b`: c/d', '```', '# not one', '```', '## A'].join('\n')
  t.strictSame(withoutFences(text).split('\n'), ['# A `b`: c/d', '', '', '', '## A'])
})

t.test('every pointer leads to a file that exists', async (t) => {
  t.strictSame(
    all.filter(({ file }) => !existsSync(join(ROOT, file))).map(({ at, pointer: named }) => `${at} ${named}`),
    [],
  )
})

t.test('every anchor leads to a heading that exists', async (t) => {
  t.strictSame(
    all
      .filter(({ file, anchor }) => anchor !== undefined && file.endsWith('.md') && isFile(file))
      .filter(({ file, anchor }) => !anchorsOf(file).has(anchor!))
      .map(({ at, pointer: named }) => `${at} ${named}`),
    [],
  )
})

t.test('every file that a document names in code type exists', async (t) => {
  const named = FILES.filter((path) => path.endsWith('.md')).flatMap((path) =>
    eachLine(path, withoutFences(read(path)), (line) =>
      Array.from(line.matchAll(/`([\w@.-]+(?:\/[\w@.-]+)+\.(?:ts|py|json|sql|ya?ml|md|js))`/g), ([, file]) =>
        pointer(file!, file!, undefined),
      ),
    ),
  )
  t.ok(named.length > 100)
  const bases = (at: string) => ['', 'src', dirname(at.replace(/:\d+$/, ''))]
  t.strictSame(
    named
      .filter(({ at, file }) => !bases(at).some((base) => isFile(join(base, file))))
      .map(({ at, file }) => `${at} ${file}`),
    [],
  )
})

t.test('no pointer to documents that are not in this repository is left', async (t) => {
  // The documents from which the first releases were built, and the list of work. Neither is part of the repository.
  const old = /\bdesign \d|\bentra\.md|\bsecurity\.md \d|\bstyle\.md|\bissue \d|\.\.\/shared/i
  t.strictSame(
    FILES.flatMap((path) =>
      eachLine(path, read(path), (line) => (old.test(line) ? [pointer(line.trim(), path, undefined)] : [])),
    ).map(({ at, pointer: line }) => `${at} ${line}`),
    [],
  )
})

t.test('no line of code or comment is longer than 120 characters', async (t) => {
  const folders = /^(?:src|test|sandbox|bench|drills)\/.*\.ts$|^clients\/.*\.py$/
  const long = FILES.filter((path) => folders.test(path)).flatMap((path) =>
    eachLine(path, read(path), (line) =>
      Array.from(line).length > 120 && !isUnbreakable(line) ? [pointer(line.trim(), path, undefined)] : [],
    ),
  )
  t.strictSame(
    long.map(({ at, pointer: line }) => `${at} ${line}`),
    [],
  )
})

/**
 * Whether a long line is long only because of one thing that cannot be broken: a URL, a row of a Markdown table, or a
 * string, template or regular expression that ends on the line where it begins. A comment may be long for a URL alone.
 */
function isUnbreakable(line: string): boolean {
  const withoutUrls = line.replace(/https?:\/\/\S+/g, '')
  if (Array.from(withoutUrls).length <= 120 || /^\s*\| .* \|$/.test(line)) return true
  if (/^\s*(?:\/\/|\/?\*|#)/.test(line)) return false
  const literal =
    /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<=[=(,:!] ?|^\s*)\/(?:[^/\\\n]|\\.)+\/[a-z]*/g
  const literals = Array.from(line.matchAll(literal), ([text]) => Array.from(text).length)
  return Array.from(line).length - Math.max(0, ...literals) <= 100
}
