import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { fill, LANGUAGES, texts, type Language } from '../../src/texts/texts.ts'

// The texts as data. What the pages make of them: test/http/pages.

type Tree = string | readonly Tree[] | { readonly [name: string]: Tree }
const flat = (tree: Tree, key = ''): [key: string, text: string][] =>
  typeof tree === 'string'
    ? [[key, tree]]
    : Object.entries(tree).flatMap(([name, part]) => flat(part, key === '' ? name : `${key}.${name}`))
const all = Object.fromEntries(LANGUAGES.map((language) => [language, new Map(flat(texts[language]))])) as Record<
  Language,
  Map<string, string>
>
const OTHERS = LANGUAGES.filter((language) => language !== 'en')
const placeholders = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()

t.test('every language has the same keys, lists of the same length and the same placeholders', async (t) => {
  for (const language of OTHERS) {
    t.same([...all[language].keys()].sort(), [...all.en.keys()].sort(), language)
    for (const [key, text] of all.en)
      t.same(placeholders(all[language].get(key) ?? ''), placeholders(text), `${language} ${key}`)
  }
})

t.test('no text is empty, has white space at its ends or twice, or holds markup', async (t) => {
  for (const language of LANGUAGES)
    for (const [key, text] of all[language]) t.notMatch(text, /^$|^\s|\s$|\s\s|<|&\w+;/, `${language} ${key}`)
})

t.test('no sentence of another language is English', async (t) => {
  // Names and codes are the same everywhere.
  for (const language of OTHERS)
    for (const [key, text] of all[language]) if (/\w \w/.test(text)) t.not(text, all.en.get(key), `${language} ${key}`)
})

t.test('titles are no sentences; what happened and what to do are', async (t) => {
  for (const language of LANGUAGES) {
    const { reasons, unknownReason, problems } = texts[language]
    for (const [name, { title, happened, todo }] of Object.entries({ ...reasons, ...unknownReason, ...problems })) {
      t.match(title, /[^.]$/, `${language} ${name} title`)
      for (const text of [happened, todo]) t.match(text, /\.$/, `${language} ${name}`)
    }
  }
})

t.test('no two actions have the same words, and none is longer than a button on a phone', async (t) => {
  for (const language of LANGUAGES) {
    const words = Object.values(texts[language].actions)
    t.equal(new Set(words).size, words.length, language)
    for (const one of words) t.ok(one.length <= 42, `${language} ${one}`)
  }
})

t.test(
  "each language has its own quotation marks, and German and Spanish speak to the reader as 'Sie' and 'usted'",
  async (t) => {
    const foreign = {
      en: /[„«»"]/,
      de: /["«»]|“\w|\b(?:du|dein|deine|dich|dir)\b/i,
      es: /["„“”]|\b(?:tú|tu|tus|te|puedes|tienes|haz|vuelve a conectar)\b/i,
    }
    for (const language of LANGUAGES)
      for (const [key, text] of all[language]) t.notMatch(text, foreign[language], `${language} ${key}`)
  },
)

t.test('in a German hospital, „Administration“ and „Betrieb“ are other people than the IT', async (t) => {
  for (const [key, text] of all.de) {
    t.notMatch(text, /\bBetrieb\b|(?<!IT-)\bAdministration\b(?! von Microsoft)/, key)
    t.notMatch(text, /Verbinden Sie neu|Passwort|Nutzende|privates Konto/, key)
  }
})

t.test('placeholders are filled from the values given, and no other', async (t) => {
  t.equal(fill('{name} and {name}, {other}', { name: '{other}' }), '{other} and {other}, {other}')
  t.equal(fill('{constructor}', {}), '{constructor}')
})

t.test('a further language is one file: everything of a language stands in it', async (t) => {
  for (const language of LANGUAGES) {
    const file = readFileSync(fileURLToPath(new URL(`../../src/texts/${language}.ts`, import.meta.url)), 'utf8')
    t.notMatch(file.replaceAll(/^import type .*$|^import type \{[^}]*\} from .*$/gm, ''), /\bimport\b/, language)
  }
})
