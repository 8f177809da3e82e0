import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mo, po, type GetTextTranslations } from 'gettext-parser'
import type { FailureCode, Reason } from '../src/core/failure.ts'
import { stylesheet } from '../src/http/pages/stylesheet.ts'
import { LANGUAGES, texts, type Language, type PageProblem, type Texts } from '../src/texts/texts.ts'

// npm run texts: writes what the pages of the Django client take from the broker's pages: the words, as gettext
// catalogues, and the stylesheet. With --check it writes nothing, and exit code 1 says that a file is out of date.

const FOLDER = fileURLToPath(new URL('../clients/python/src/token_broker_client/django/', import.meta.url))

/** What the pages of the Django client show. `a.b`: only this part. */
const SHOWN = [
  'product',
  'area',
  'reference',
  'support',
  'supportSubject',
  'status',
  'actions',
  'whatToDo',
  'whoActs',
  'actors',
  'cure.recovers',
  'account.title',
  'result.notYou',
  'django',
  'reasons',
  'unknownReason',
  'problems',
  'adminMessage',
  'adminRequests',
]

type ExplainedKey =
  `problems.${PageProblem}` | `reasons.${Reason}` | `django.failures.${keyof Texts['django']['failures']}`

/** The words for a failure that has no reason. `broker_unreachable`, `untrusted_answer`: of the client itself. */
const PROBLEM_OF_CODE: Record<FailureCode | 'broker_unreachable' | 'untrusted_answer', ExplainedKey> = {
  invalid_signature: 'problems.broker_misconfigured',
  clock_skew: 'problems.broker_misconfigured',
  caller_forbidden: 'problems.broker_misconfigured',
  untrusted_answer: 'problems.broker_misconfigured',
  broker_misconfigured: 'problems.broker_misconfigured',
  token_unreadable: 'problems.broker_misconfigured',
  broker_unreachable: 'problems.service_unavailable',
  database_unavailable: 'problems.service_unavailable',
  audit_unavailable: 'problems.service_unavailable',
  rate_limited: 'problems.service_unavailable',
  microsoft_unavailable: 'problems.microsoft_unavailable',
  connect_session_expired: 'problems.link_expired',
  frozen: 'problems.service_unavailable',
  not_connected: 'django.failures.not_connected',
  not_found: 'django.failures.not_found',
  reconnect_required: 'problems.internal_error',
  connect_refused: 'django.failures.connect_refused',
  account_mismatch: 'reasons.other_account',
  claims_not_satisfied: 'reasons.challenge_repeated',
  cursor_expired: 'problems.internal_error',
  invalid_request: 'problems.internal_error',
  internal_error: 'problems.internal_error',
}

/** Such as `reasons.access_revoked.title` → the text. */
function flatten(value: unknown, key = ''): [string, string][] {
  if (typeof value === 'string') return [[key, value]]
  if (typeof value !== 'object' || value === null) throw new Error(`${key} is no text`)
  return Object.entries(value).flatMap(([name, part]: [string, unknown]) =>
    flatten(part, key === '' ? name : `${key}.${name}`),
  )
}

function shown(language: Texts): Map<string, string> {
  const isShown = (key: string): boolean => SHOWN.some((part) => key === part || key.startsWith(`${part}.`))
  return new Map(flatten(language).filter(([key]) => isShown(key)))
}

/** The key is the context: a text of ours never meets one of Django or of the project in their common catalogue. */
function catalogue(language: Language): GetTextTranslations {
  const own = shown(texts[language])
  const entries = [...shown(texts.en)].map(([key, msgid]): [string, string, string] => [key, msgid, own.get(key) ?? ''])
  // A page says in its `lang` which language its texts have.
  entries.push(['language', 'en', language])
  return {
    charset: 'utf-8',
    headers: {
      'Project-Id-Version': 'token-broker-client',
      Language: language,
      'MIME-Version': '1.0',
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Transfer-Encoding': '8bit',
      'Plural-Forms': 'nplurals=2; plural=(n != 1);',
    },
    translations: {
      '': {
        '': {
          msgid: '',
          msgstr: [''],
          comments: { translator: 'Written by `npm run texts` from src/texts. Do not edit.' },
        },
      },
      ...Object.fromEntries(
        entries.map(([key, msgid, msgstr]) => {
          const msgctxt = `token_broker.${key}`
          const comments = /\{\w+\}/.test(msgid) ? { comments: { flag: 'python-brace-format' } } : {}
          return [msgctxt, { [msgid]: { msgctxt, msgid, msgstr: [msgstr], ...comments } }]
        }),
      ),
    },
  }
}

/** Every file, by its path in the folder of the Django app. */
export function djangoTexts(): Map<string, Buffer> {
  const english = Object.fromEntries(shown(texts.en))
  const data = {
    texts: english,
    problemOfCode: PROBLEM_OF_CODE,
    forAdministrators: Object.keys(texts.en.adminRequests),
  }
  const files = new Map<string, Buffer>([
    ['texts.json', Buffer.from(`${JSON.stringify(data, null, 2)}\n`)],
    [
      'pages.css',
      Buffer.from(`/* Written by npm run texts from the stylesheet of the broker's pages. */${stylesheet}`),
    ],
  ])
  for (const language of LANGUAGES) {
    const folder = `locale/${language}/LC_MESSAGES`
    files.set(
      `${folder}/django.po`,
      Buffer.concat([po.compile(catalogue(language), { foldLength: 0 }), Buffer.from('\n')]),
    )
    files.set(`${folder}/django.mo`, mo.compile(catalogue(language)))
  }
  return files
}

/** The files that are missing or differ. */
export function staleDjangoTexts(): string[] {
  return [...djangoTexts()]
    .filter(([path, content]) => !existsSync(FOLDER + path) || !readFileSync(FOLDER + path).equals(content))
    .map(([path]) => path)
}

export function writeDjangoTexts(): void {
  for (const [path, content] of djangoTexts()) {
    mkdirSync(dirname(FOLDER + path), { recursive: true })
    writeFileSync(FOLDER + path, content)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const stale = staleDjangoTexts()
    if (stale.length > 0) {
      process.stderr.write(`Out of date, write them with npm run texts: ${stale.join(', ')}\n`)
      process.exitCode = 1
    }
  } else writeDjangoTexts()
}
