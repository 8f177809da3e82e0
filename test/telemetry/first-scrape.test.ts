import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { REASONS, STORED_VERDICTS } from '../../src/core/failure.ts'
import { RENEWAL_RESULTS, SWEEP_ENDS } from '../../src/core/keep-alive.ts'
import { startWorld } from '../support/world.ts'

// `increase()` does not see the first 1 of a series that did not exist before. So what alerts count must exist with 0.

const { tests } = parse(readFileSync('test/chart/alerts.test.yaml', 'utf8')) as {
  tests: { input_series: { series: string; values: string }[] }[]
}
/** Labels that Prometheus adds. */
const OF_PROMETHEUS = ['namespace', 'job', 'instance']

/** The same text for the same series. */
function canonical(series: string): string {
  const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? []
  const own = [...labels.matchAll(/(\w+)="([^"]*)"/g)].filter(([, label = '']) => !OF_PROMETHEUS.includes(label))
  return `${name}{${own.map(([text]) => text).sort()}}`
}

t.test('a replica that has just started exports with 0 what alerts and the dashboard count', async (t) => {
  const { replica } = await startWorld(t)
  const { payload } = await replica.operations.inject('/metrics')
  const zeros = new Set([...payload.matchAll(/^(token_broker_.*) 0$/gm)].map(([, series = '']) => canonical(series)))
  const reasons = [...Object.keys(REASONS), 'unknown']
  const connect = '/auth/oauth2/microsoft/'
  const needed = [
    'refreshes_total{outcome="tokens",reason=""}',
    ...STORED_VERDICTS.flatMap((outcome) =>
      reasons.map((reason) => `refreshes_total{outcome="${outcome}",reason="${reason}"}`),
    ),
    'connects_total{outcome="connected",reason=""}',
    'connects_total{outcome="expired",reason="abandoned"}',
    ...['failed', 'refused'].flatMap((outcome) =>
      reasons.map((reason) => `connects_total{outcome="${outcome}",reason="${reason}"}`),
    ),
    ...reasons.map((reason) => `degraded_tokens_total{reason="${reason}"}`),
    ...RENEWAL_RESULTS.map((result) => `keep_alive_integrations_total{result="${result}"}`),
    ...SWEEP_ENDS.map((ended) => `keep_alive_sweeps_total{ended="${ended}"}`),
    ...[
      ['internal', '/tokens/:userId'],
      ['internal', '/tokens/:userId/refresh'],
      ['internal', '/connect-sessions'],
      ['internal', '/connect-sessions/:id'],
      ['internal', '/connect-sessions/:id/complete'],
      ...['connect/:ticket', 'callback', 'result/:id/:proof', 'admin-consent'].map((page) => [
        'public',
        `${connect}${page}`,
      ]),
    ].flatMap(([listener, route]) =>
      ['500', '503'].map(
        (status) => `http_request_seconds_count{listener="${listener}",route="${route}",status="${status}"}`,
      ),
    ),
  ].map((series) => canonical(`token_broker_${series}`))
  t.strictSame(
    needed.filter((series) => !zeros.has(series)),
    [],
  )

  // A test of an alert that begins with a 0 that no broker exports hides that the alert is blind.
  const counters = tests
    .flatMap(({ input_series }) => input_series)
    .filter(({ series, values }) => /_(?:total|count)\{/.test(series) && values.startsWith('0'))
    .map(({ series }) => canonical(series))
  t.ok(counters.length > 20)
  t.strictSame(
    [...new Set(counters)].filter((series) => !zeros.has(series)),
    [],
  )
})
