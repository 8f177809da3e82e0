import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

// Inputs that failed once or are hard to find, one file for each target. npm test runs them all.

const fileOf = (name: string): string => fileURLToPath(new URL(`corpus/${name}.json`, import.meta.url))

export function readCorpus(name: string): unknown[] {
  const file = fileOf(name)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as unknown[]) : []
}

export function addToCorpus(name: string, input: unknown): string {
  const file = fileOf(name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify([...readCorpus(name), input], null, 2)}\n`)
  return file
}
