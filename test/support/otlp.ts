import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

// A collector for OTLP over HTTP with protobuf: a plain server that stores what it receives and parses the spans.

export interface ReceivedSpan {
  traceId: string
  spanId: string
  parentId: string
  name: string
  /** 1 internal, 2 server, 3 client. */
  kind: number
  attributes: Record<string, string | number>
  events: string[]
  /** 2: error. */
  status: number
}

export interface Collector {
  url: string
  spans(): ReceivedSpan[]
  /** Attributes of the resource of the spans. */
  resource(): Record<string, string | number>
  /** All received bytes. */
  bytes(): Buffer
  headers: Record<string, unknown>[]
  /** Sets the answer from now on. Undefined: it never answers. */
  answer(status: number | undefined): void
}

export async function startCollector(t: { teardown(end: () => unknown): unknown }): Promise<Collector> {
  const bodies: Buffer[] = []
  const headers: Record<string, unknown>[] = []
  const waiting: ServerResponse[] = []
  let status: number | undefined = 200
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks))
      headers.push({ ...request.headers, url: request.url })
      if (status === undefined) waiting.push(response)
      else response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(resolve)
      }),
  )
  // ExportTraceServiceRequest.resource_spans = 1 (trace_service.proto).
  const resourceSpans = () => bodies.flatMap((body) => within(body, 1))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    // ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2 (trace.proto).
    spans: () =>
      resourceSpans()
        .flatMap((one) => within(one, 2))
        .flatMap((scope) => within(scope, 2))
        .map(readSpan),
    // ResourceSpans.resource = 1, Resource.attributes = 1 (resource.proto).
    resource: () =>
      readAttributes(
        resourceSpans()
          .flatMap((one) => within(one, 1))
          .flatMap((resource) => within(resource, 1)),
      ),
    bytes: () => Buffer.concat(bodies),
    headers,
    answer: (next) => void (status = next),
  }
}

function readSpan(span: Buffer): ReceivedSpan {
  const text = (field: number, encoding: BufferEncoding) =>
    (within(span, field)[0] ?? Buffer.alloc(0)).toString(encoding)
  return {
    traceId: text(1, 'hex'),
    spanId: text(2, 'hex'),
    parentId: text(4, 'hex'),
    name: text(5, 'utf8'),
    kind: Number(fields(span).find(({ field }) => field === 6)?.value ?? 0),
    attributes: readAttributes(within(span, 9)),
    events: within(span, 11).map((event) => within(event, 2)[0]?.toString('utf8') ?? ''),
    status: Number(
      within(span, 15)
        .flatMap(fields)
        .find(({ field }) => field === 3)?.value ?? 0,
    ),
  }
}

/** KeyValue: key = 1, value = 2; AnyValue: string = 1, int = 3, an array = 5 (common.proto). */
function readAttributes(attributes: Buffer[]): Record<string, string | number> {
  return Object.fromEntries(
    attributes.map((attribute) => {
      const [value] = within(attribute, 2).flatMap(fields)
      return [
        within(attribute, 1)[0]!.toString('utf8'),
        Buffer.isBuffer(value?.value) ? value.value.toString('utf8') : Number(value?.value),
      ]
    }),
  )
}

const within = (message: Buffer, wanted: number): Buffer[] =>
  fields(message).flatMap(({ field, value }) => (field === wanted && Buffer.isBuffer(value) ? [value] : []))

/** A message's fields in Protocol Buffers' wire format. */
function fields(message: Buffer): { field: number; value: Buffer | bigint }[] {
  const found: { field: number; value: Buffer | bigint }[] = []
  let at = 0
  function varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]!
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = Number(varint())
    const [field, type] = [tag >> 3, tag & 7]
    if (type === 0) found.push({ field, value: varint() })
    else {
      const size = type === 2 ? Number(varint()) : type === 1 ? 8 : 4
      found.push({ field, value: message.subarray(at, (at += size)) })
    }
  }
  return found
}
