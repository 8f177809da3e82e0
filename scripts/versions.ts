import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// The version stands in package.json. The files below have a copy, for their own tools or for their readers.
// `npm run release` writes the copies; test/versions.test.ts compares them.

interface Copy {
  file: string
  /** Finds the version; its first group is what stands before it. */
  pattern: RegExp
}

export const COPIES: readonly Copy[] = [
  { file: 'package-lock.json', pattern: /^(\{\n {2}"name": "token-broker",\n {2}"version": ")[^"]+/ },
  { file: 'package-lock.json', pattern: /(\n {4}"": \{\n {6}"name": "token-broker",\n {6}"version": ")[^"]+/ },
  { file: 'clients/python/pyproject.toml', pattern: /(\nversion = ")[^"]+/ },
  { file: 'helm/token-broker/Chart.yaml', pattern: /(\nversion: )\S+/ },
  { file: 'helm/token-broker/Chart.yaml', pattern: /(\nappVersion: )\S+/ },
  { file: 'Dockerfile', pattern: /(\nARG VERSION=)\S+/ },
  { file: 'docs/adopt-django.md', pattern: /(\/token_broker_client-)[^-\n]+/ },
  { file: 'docs/adopt-django.md', pattern: /(\ntoken-broker-client\[django\]==)\S+/ },
  { file: 'docs/adopt-django.md', pattern: /(\.git@v)[^#\n]+/ },
]

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The version of this checkout. `root`: its folder, with a slash at the end. */
export function versionOf(root: string = ROOT): string {
  return (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }).version
}

/** One sentence for each copy that is missing or differs from package.json. */
export function staleCopies(root: string = ROOT): string[] {
  const version = versionOf(root)
  return COPIES.flatMap(({ file, pattern }) => {
    const [found, before] = pattern.exec(readFileSync(root + file, 'utf8')) ?? []
    if (found === undefined || before === undefined) return [`${file} has no version at ${pattern.source}`]
    const copy = found.slice(before.length)
    return copy === version ? [] : [`${file} says ${copy}, package.json says ${version}`]
  })
}

/** Writes the version into package.json and all copies. Throws when a file has no place for it. */
export function writeVersion(version: string, root: string = ROOT): void {
  const places: readonly Copy[] = [{ file: 'package.json', pattern: /(\n {2}"version": ")[^"]+/ }, ...COPIES]
  for (const { file, pattern } of places) {
    const text = readFileSync(root + file, 'utf8')
    if (!pattern.test(text)) throw new Error(`${file} has no version at ${pattern.source}`)
    writeFileSync(
      root + file,
      text.replace(pattern, (_, before: string) => before + version),
    )
  }
}
