// The files that the environment names: NAME_FILE, and the variables that are paths.
import { readFileSync } from 'node:fs'
import { hash } from 'node:crypto'
import type { Environment, Files } from './environment.ts'
import { NAMES, VARIABLES } from './variables.ts'
import type { Variable } from './variable.ts'
import type { Name } from './variables.ts'

/** What the files held at one moment: the text, or the error code of reading it. By path. */
export type Contents = ReadonlyMap<string, { readonly text: string } | { readonly code: string }>

/** The path that the environment gives for a variable. Undefined: its value is not in a file. */
export function fileOf(name: Name, env: Environment): string | undefined {
  const isPath = (VARIABLES[name] as Variable).path === true
  const path = env[isPath ? name : `${name}_FILE`]?.trim()
  return path === '' ? undefined : path
}

/** Reads every configured file once, so that all that is decided from them is decided from the same contents. */
export function readContents(env: Environment): Contents {
  const paths = NAMES.flatMap((name) => fileOf(name, env) ?? [])
  return new Map(paths.map((path) => [path, read(path)]))
}

function read(path: string): { text: string } | { code: string } {
  try {
    return { text: readFileSync(path, 'utf8') }
  } catch (error) {
    return { code: String((error as NodeJS.ErrnoException).code ?? 'unreadable') }
  }
}

/** The contents in the form that readConfig takes. */
export function filesOf(contents: Contents): Files {
  return {
    read(path) {
      const content = contents.get(path) ?? { code: 'ENOENT' }
      if ('text' in content) return content.text
      throw Object.assign(new Error('a configured file cannot be read'), { code: content.code })
    },
  }
}

/** One hash of all contents: they hold secrets, and are not kept for comparing. */
export function fingerprintOf(contents: Contents): string {
  return hash('sha256', JSON.stringify([...contents]))
}
