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
 * The package has dark colours, but follows the browser only with its top bar, which offers to load other documents.
 */
const COLOURS =
  "document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)\n"
/**
 * Hides the link under the title, which leads to the copy of the document for this page (the text below links to the
 * document itself), and the buttons that open a dialog which asks for a signature.
 */
const STYLES =
  '.swagger-ui .info hgroup.main a, .swagger-ui .auth-wrapper, .swagger-ui .authorization__btn { display: none }\n'

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
      js: [{ filename: 'colours.js', content: COLOURS }],
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
