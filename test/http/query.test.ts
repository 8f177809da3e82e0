import t from 'tap'
import { openApiDocument } from '../../src/app.ts'
import { startWorld } from '../support/world.ts'
import { call } from './signed-call.ts'

// Numbers in a query: decimal digits, once. Every numeric parameter of every route, as the OpenAPI document lists them.

interface Parameter {
  name: string
  in: string
  schema: { type?: string; minimum?: number }
}
const { paths } = (await openApiDocument()) as {
  paths: Record<string, Record<string, { parameters?: Parameter[]; requestBody?: object }>>
}
const numeric = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, { parameters = [] }]) =>
    parameters
      .filter((parameter) => parameter.in === 'query' && parameter.schema.type === 'integer')
      .map(({ name, schema }) => ({ method: method.toUpperCase(), path, name, valid: String(schema.minimum ?? 1) })),
  ),
)

const world = await startWorld(t)
const send = (method: string, path: string, query: string) =>
  call(world, {
    method,
    path: `${path.replace('{userId}', 'nobody')}?${query}`,
    ...(method === 'POST' ? { body: { generation: 1 } } : {}),
  })

t.test('the document lists the parameters that are tried', async (t) => {
  t.strictSame(numeric.map(({ method, path, name }) => `${method} ${path} ${name}`).sort(), [
    'GET /events limit',
    'GET /events wait',
    'GET /integrations limit',
    'GET /tokens/{userId} deadline_ms',
    'GET /tokens/{userId} min_ttl',
    'POST /tokens/{userId}/refresh deadline_ms',
  ])
})

for (const { method, path, name, valid } of numeric) {
  t.test(`${method} ${path}: ${name} is decimal digits, once`, async (t) => {
    const doubled = `${valid}&${name}=${valid}`
    const forms = ['1e3', '0x10', '0b1', '%205', '5%20', '+5', '%2B5', '-1', '5.0', '5.5', '', 'true', 'null', 'NaN']
    for (const value of [...forms, '1_0', '1,0', '%D9%A5', '9'.repeat(16), doubled]) {
      const answer = await send(method, path, `${name}=${value}`)
      t.match(answer, {
        status: 422,
        signature: 'verified',
        body: { code: 'invalid_request', invalid: [{ field: `querystring.${name}` }] },
      })
    }
    for (const value of [valid, `00${valid}`])
      t.not((await send(method, path, `${name}=${value}`)).status, 422, `${name}=${value}`)
  })
}

t.test('a text parameter that is sent twice is refused', async (t) => {
  for (const [path, query] of [
    ['/integrations', 'after=1&after=2'],
    ['/events', 'after=a&after=b'],
  ] as const) {
    const { body } = await send('GET', path, query)
    t.match(body, { code: 'invalid_request', invalid: [{ field: 'querystring.after' }] })
  }
})
