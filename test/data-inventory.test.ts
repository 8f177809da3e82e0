import t from 'tap'
import {
  backticked,
  inventoryNames,
  inventoryRows,
  loggedFields,
  metricLabels,
  schemaColumns,
  SECTIONS,
  traceAttributes,
  unlistedLogFields,
  unlistedTraceAttributes,
} from './support/data-inventory.ts'

// docs/data-inventory.md lists every place that can hold personal data. The support file says how the lists are
// derived.

t.test('every column of the database is in the inventory, and no other', async (t) => {
  const columns = schemaColumns()
  t.ok(columns.length > 50)
  t.strictSame(inventoryNames('Columns'), columns)
})

t.test('every metric label is in the inventory, and no other', async (t) => {
  const labels = metricLabels()
  t.strictSame(inventoryNames('Metric labels'), [...labels.keys()].sort())
  for (const { names, cells } of inventoryRows('Metric labels'))
    for (const label of names) t.strictSame(backticked(cells[1]!), labels.get(label), `metrics with the label ${label}`)
})

t.test('every field that the source logs is in the inventory, and no other', async (t) => {
  const fields = loggedFields()
  for (const field of [
    'user_id',
    'connect_session',
    'request_id',
    'trace_id',
    'integration_id',
    'let_go',
    'generation',
    'why',
  ])
    t.ok(fields.includes(field), `${field} was found in the source`)
  t.strictSame(inventoryNames('Log fields'), fields)
})

t.test('every trace attribute that the source sets is in the inventory, and no other', async (t) => {
  // The resource's, which the SDK adds by itself.
  const ofTheSdk = ['service.instance.id', 'telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version']
  const attributes = traceAttributes()
  t.ok(attributes.length > 10)
  t.strictSame(inventoryNames('Trace attributes'), [...attributes, ...ofTheSdk].sort())
})

t.test('no row of the inventory leaves a cell empty, but for what every line has', async (t) => {
  for (const section of SECTIONS)
    for (const { names, cells } of inventoryRows(section)) {
      if (names.includes('msg')) continue
      t.ok(
        cells.every((cell) => cell !== ''),
        `${section}: ${names.join(', ')}`,
      )
    }
})

t.test('a field or an attribute that is not listed is found', async (t) => {
  t.strictSame(unlistedLogFields('{"user_id":"42","email":"jane@contoso.com"}\n{"level":"info"}\n'), ['email'])
  t.strictSame(unlistedTraceAttributes([{ attributes: { 'http.route': '/', 'user.email': 'jane' } }]), ['user.email'])
})
