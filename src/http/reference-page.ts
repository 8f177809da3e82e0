import helmet from '@fastify/helmet'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { Failure } from '../core/failure.ts'
import { signingGuide } from './signing-guide.ts'

/** Everything comes from this origin, only files of the package run, and nothing can be sent anywhere. */
const POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
}

/**
 * What the package leaves out. It has dark colours, but follows the browser only with its top bar, which offers to load
 * other documents. For speech output: the select has a name, a button holds no link (WCAG 2.2, 4.1.2), no level of the
 * headings is skipped, all content is in a named part of the page, and what scrolls can be reached by keyboard.
 */
const SCRIPT = `
document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)
const name = () => {
  for (const [part, words] of [['.information-container', 'About this API'], ['.scheme-container', 'Server']]) {
    document.querySelector(part)?.setAttribute('role', 'region')
    document.querySelector(part)?.setAttribute('aria-label', words)
  }
  for (const select of document.querySelectorAll('select:not([aria-label])'))
    select.setAttribute('aria-label', select.id === 'servers' ? 'Server' : 'Example')
  for (const code of document.querySelectorAll('pre.microlight:not([tabindex])')) code.setAttribute('tabindex', '0')
  for (const link of document.querySelectorAll('.opblock-summary-control a[href]')) link.removeAttribute('href')
  for (const level of [3, 4, 5])
    for (const heading of document.querySelectorAll('h' + level)) heading.setAttribute('aria-level', level - 1)
}
new MutationObserver(name).observe(document, { childList: true, subtree: true })
`
/**
 * Hides the link under the title, which leads to the copy of the document for this page (the text below links to the
 * document itself), and the buttons that open a dialog which asks for a signature. Colours with enough contrast, and
 * wide tables that scroll by themselves (WCAG 2.2, 1.4.3 and 1.4.10).
 */
const STYLES = `
.swagger-ui .info hgroup.main a, .swagger-ui .auth-wrapper, .swagger-ui .authorization__btn { display: none }
.swagger-ui .opblock .opblock-summary-method { color: #101820; text-shadow: none }
.swagger-ui .info .title small, .swagger-ui .info .title small.version-stamp { background: #3f4a54 }
html:not(.dark-mode) .swagger-ui .info a { color: #0a558c }
html:not(.dark-mode) .swagger-ui .parameter__in { color: #3f4a54 }
.swagger-ui .microlight span[style*="211, 99, 99"] { color: #ffa39b !important }
.swagger-ui .opblock-body { overflow-x: auto }
`

/**
 * The OpenAPI document as a page, at /docs: unsigned, like the document. It has no "Try it", because a page cannot
 * sign.
 */
export async function referencePage(scope: FastifyInstance): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: POLICY,
    // People open it through a forwarded port: that must not force their localhost to https.
    strictTransportSecurity: false,
    frameguard: { action: 'deny' },
  })
  await scope.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { layout: 'BaseLayout', supportedSubmitMethods: [], deepLinking: true, defaultModelsExpandDepth: 0 },
    theme: {
      title: 'Token broker API',
      css: [{ filename: 'page.css', content: STYLES }],
      js: [{ filename: 'page.js', content: SCRIPT }],
    },
    uiHooks: {
      // The document is served once, as /openapi.json. The page needs only the JSON.
      onRequest(request, _reply, done) {
        done(request.routeOptions.url === '/docs/yaml' ? new Failure('not_found') : undefined)
      },
    },
    transformSpecification: (document) => forReading(document as ReadableDocument),
  })
}

interface ReadableDocument {
  info: { description: string }
}

/** Adds the signing guide at the top of the page's copy: the page would show it only in the hidden dialog. */
function forReading(document: ReadableDocument): object {
  document.info.description +=
    '\n\n<details><summary>The security scheme <code>signature</code>: how to sign a request and verify an answer</summary>\n\n' +
    `${signingGuide()}\n\n</details>\n\nThe OpenAPI document itself: [/openapi.json](/openapi.json).`
  return document
}
