import helmet from '@fastify/helmet'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { Failure } from '../core/failure.ts'
import { signingGuide } from './signing-guide.ts'

/** All comes from this origin, nothing runs that is not a file of the package, and nothing can be sent anywhere. */
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

/** The package has dark colours, and follows the browser only with its top bar, which here would offer to load other documents. */
const COLOURS =
  "document.documentElement.classList.toggle('dark-mode', matchMedia('(prefers-color-scheme: dark)').matches)\n"
/**
 * Not shown: the link under the title, which leads to the document as this page is given it (words below it link to the document itself), and
 * the buttons that open a dialog which asks for a signature.
 */
const STYLES =
  '.swagger-ui .info hgroup.main a, .swagger-ui .auth-wrapper, .swagger-ui .authorization__btn { display: none }\n'

/** The OpenAPI document as a page to read, at /docs: unsigned, as the document is. Nothing can be tried on it, because a page cannot sign. */
export async function referencePage(scope: FastifyInstance): Promise<void> {
  await scope.register(helmet, {
    contentSecurityPolicy: POLICY,
    // Somebody looks at it through a forwarded port: that must not bind their localhost to https.
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
      // The document is served once, as /openapi.json; the page itself needs its JSON alone.
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

/** Adds to the copy that the page is given: it would show the signing guide only in that dialog, so it stands at the top too. */
function forReading(document: ReadableDocument): object {
  document.info.description +=
    '\n\n<details><summary>The security scheme <code>signature</code>: how to sign a request and verify an answer</summary>\n\n' +
    `${signingGuide()}\n\n</details>\n\nThe OpenAPI document itself: [/openapi.json](/openapi.json).`
  return document
}
