import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { temporaryFolder } from '../sandbox/temporary-folder.ts'
import { breakingChanges, PRESENT, RELEASED } from './support/breaking-changes.ts'

// Each change is made to a copy of the present document, all of a kind at once: a comparison takes a third of a second.

type Json = Record<string, any>

const folder = temporaryFolder('token-broker-openapi')
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const present = (): Json => JSON.parse(readFileSync(PRESENT, 'utf8')) as Json
const changed = join(folder, 'changed.json')
const REF = '#/components/schemas/'
const body = (document: Json, path: string): Json =>
  document['paths'][path].post.requestBody.content['application/json'].schema
const answer = (document: Json, path: string, method: string, status: string): Json =>
  document['paths'][path][method].responses[status].content['application/json']
const parameter = (document: Json, path: string, name: string): Json =>
  document['paths'][path].get.parameters.find((one: Json) => one['name'] === name)
const without = (list: string[], name: string): string[] => list.filter((one) => one !== name)

function changesAfter(change: (document: Json) => void): string[] {
  const document = present()
  change(document)
  writeFileSync(changed, JSON.stringify(document))
  return breakingChanges(PRESENT, changed)
}

t.test(
  'nothing in the present document breaks callers of the last release (npm run check says what does)',
  async (t) => {
    t.strictSame(breakingChanges(RELEASED, PRESENT), [])
  },
)

/** What the sentence must name, and the change. */
const BREAKING: [RegExp, (document: Json) => void][] = [
  [/^\/browser-sessions\/\{userId\}: Path .* was removed/, (d) => delete d['paths']['/browser-sessions/{userId}']],
  [
    /^DELETE \/integrations\/\{userId\}: Operation .* was removed/,
    (d) => delete d['paths']['/integrations/{userId}'].delete,
  ],
  [
    /^GET \/events > responses > 410: Response `410` was removed/,
    (d) => delete d['paths']['/events'].get.responses['410'],
  ],
  [
    /^GET \/integrations > responses > 503 > headers: .* headers of response `503` were removed/,
    (d) => delete d['paths']['/integrations'].get.responses['503'].headers,
  ],
  [
    /^POST \/connect-sessions > responses > 201 .*Media type `application\/json` became `application\/cbor`/,
    (d) => {
      const { content } = d['paths']['/connect-sessions'].post.responses['201']
      content['application/cbor'] = content['application/json']
      delete content['application/json']
    },
  ],
  [
    /^GET \/events > security.* requires new scopes: 'events:all'/,
    (d) => {
      d['paths']['/events'].get.security = [{ signature: ['events:read', 'events:all'] }]
    },
  ],
  [
    /^components > securitySchemes > signature: `name` .* changed/,
    (d) => {
      d['components'].securitySchemes.signature.name = 'Authorization'
    },
  ],
  // Answers: less is promised, or something else.
  [
    /^GET \/tokens\/\{userId\} > responses > 200 .* uses of Token: Property `degraded` of `Token` was removed/,
    (d) => delete d['components'].schemas.Token.properties.degraded,
  ],
  [
    /^GET \/tokens\/\{userId\} > responses > 200 .* uses of Token: .* no longer required: `scope`/,
    (d) => {
      d['components'].schemas.Token.required = without(d['components'].schemas.Token.required, 'scope')
    },
  ],
  [
    /^GET \/integrations\/\{userId\} > responses > 200 .*Type of `scope` widened from 'string' to 'string \| null'/,
    (d) => {
      d['components'].schemas.Integration.properties.scope.type = ['string', 'null']
    },
  ],
  [
    /\/connect-sessions\/\{id\}.* > responses > 200 .*Enum of `intent` gained values: 'import'/,
    (d) => {
      d['components'].schemas.ConnectSession.properties.intent.enum.push('import')
    },
  ],
  [
    /^GET \/integrations\/\{userId\} > responses > 200 .*`format` of `connected_at` changed/,
    (d) => {
      d['components'].schemas.Integration.properties.connected_at.format = 'date'
    },
  ],
  [
    /^GET \/events > responses > 200 .*Type of `more` widened from 'boolean' to 'string'/,
    (d) => {
      answer(d, '/events', 'get', '200')['schema'].properties.more.type = 'string'
    },
  ],
  // Requests: more is asked for, or less is taken.
  [
    /^POST \/connect-sessions\/\{id\}\/complete > requestBody .*became required: `proof`/,
    (d) => {
      const schema = body(d, '/connect-sessions/{id}/complete')
      schema['properties'].proof = { type: 'string' }
      schema['required'].push('proof')
    },
  ],
  [
    /^POST \/connect-sessions > requestBody .*Enum of `intent` lost values: 'manage'/,
    (d) => {
      body(d, '/connect-sessions')['properties'].intent.enum = ['connect']
    },
  ],
  [
    /^POST \/connect-sessions > requestBody .*Property `allow_account_switch` was removed/,
    (d) => delete body(d, '/connect-sessions')['properties'].allow_account_switch,
  ],
  [
    /^POST \/integrations\/import > requestBody .*`maxItems` of `rows` changed from '500' to '100'/,
    (d) => {
      body(d, '/integrations/import')['properties'].rows.maxItems = 100
    },
  ],
  [
    /^GET \/tokens\/\{userId\} > parameters > \d+ > schema: Upper bound changed from '<= 1800' to '<= 900'/,
    (d) => {
      parameter(d, '/tokens/{userId}', 'min_ttl')['schema'].maximum = 900
    },
  ],
  [
    /^GET \/tokens\/\{userId\} > parameters .*: `pattern` changed/,
    (d) => {
      parameter(d, '/tokens/{userId}', 'userId')['schema'].pattern = '^[0-9]+$'
    },
  ],
  [
    /^GET \/integrations > parameters .*: Required `tenant` query parameter was added/,
    (d) => {
      d['paths']['/integrations'].get.parameters.push({
        in: 'query',
        name: 'tenant',
        required: true,
        schema: { type: 'string' },
      })
    },
  ],
  [
    /^GET \/integrations > parameters > \d+ > schema: Default changed from '100' to '50'/,
    (d) => {
      parameter(d, '/integrations', 'limit')['schema'].default = 50
    },
  ],
  [
    /^POST \/connect-sessions > requestBody .*intent: Default changed from '"connect"' to 'none'/,
    (d) => delete body(d, '/connect-sessions')['properties'].intent.default,
  ],
  [
    /^GET \/events > parameters .*: `wait` query parameter was removed/,
    (d) => {
      const { get } = d['paths']['/events']
      get.parameters = get.parameters.filter(({ name }: { name: string }) => name !== 'wait')
    },
  ],
]

t.test('every change that breaks a caller is one sentence with operation and place', async (t) => {
  const sentences = changesAfter((document) => {
    for (const [, change] of BREAKING) change(document)
  })
  for (const [sentence] of BREAKING) t.equal(sentences.filter((one) => sentence.test(one)).length, 1, String(sentence))
  t.equal(sentences.length, BREAKING.length, sentences.join('\n'))
})

t.test('what breaks nobody is let through', async (t) => {
  t.strictSame(
    changesAfter((document) => {
      const { schemas } = document['components']
      schemas.Code.enum.push('quota_used_up')
      schemas.Reason.enum.push('passkey_required')
      schemas.Event.properties.type.enum.push('renamed')
      schemas.Token.properties.note = { type: 'string' }
      schemas.Token.properties.expires_in.minimum = 1
      schemas.Integration.properties.status.enum = ['active']
      document['paths']['/tokens/{userId}'].get.responses['402'] = { description: 'New.' }
      document['paths']['/tokens/{userId}'].get.responses['401'].description = 'In other words.'
      document['paths']['/tokens'] = { get: document['paths']['/integrations'].get }
      parameter(document, '/tokens/{userId}', 'deadline_ms')['schema'].maximum = 60_000
      document['paths']['/tokens/{userId}'].get.parameters.push({
        in: 'query',
        name: 'more',
        schema: { type: 'string' },
      })
      const begin = body(document, '/connect-sessions')
      begin['properties'].intent.enum.push('look')
      begin['properties'].hint = { type: 'string' }
      parameter(document, '/integrations', 'after')['schema'].default = ''
      schemas.Token.properties.degraded.default = false
      document['servers'][0].variables.authority.default = 'elsewhere:8081'
      body(document, '/tokens/{userId}/refresh')['required'] = []
      schemas.ImportOutcome = schemas.ImportResult
      answer(document, '/integrations/import', 'post', '200')['schema'].properties.results.items = {
        $ref: `${REF}ImportOutcome`,
      }
    }),
    [],
  )
})

t.test('a closed list stays closed, although the new document calls it open', async (t) => {
  const sentences = changesAfter((document) => {
    const { intent } = document['components'].schemas.ConnectSession.properties
    intent.enum.push('import')
    intent['x-more-may-come'] = true
  })
  t.equal(sentences.length, 1)
  t.match(sentences[0], /gained values: 'import'/)
})

t.test('a document that is none is an error, not "no changes"', async (t) => {
  writeFileSync(changed, '{}')
  t.throws(() => breakingChanges(PRESENT, changed), /redocly diff ended with/)
})
