/** Asks V8 of a running broker about its heap, through Node's inspector (https://nodejs.org/api/inspector.html). */
import { once } from 'node:events'
import type { Broker } from './broker.ts'

/** The flag that the broker must be started with. */
export const INSPECT = '--inspect=127.0.0.1:0'

export interface Inspector {
  /** What is still in use after a collection. */
  usedHeapBytes(): Promise<number>
  /** All objects that are still in use, as the text of a heap snapshot. Strings are cut after 1,024 characters. */
  heapSnapshot(): Promise<string>
  close(): void
}

export async function openInspector({ log }: Pick<Broker, 'log'>): Promise<Inspector> {
  const [, url] = /Debugger listening on (ws:\S+)/.exec(log()) ?? []
  if (url === undefined) throw new Error(`the broker was not started with ${INSPECT}`)
  const socket = new WebSocket(url)
  const answers = new Map<number, (result: unknown) => void>()
  let chunks: string[] = []
  socket.addEventListener('message', ({ data }) => {
    const { id, result, method, params } = JSON.parse(String(data)) as {
      id?: number
      result?: unknown
      method?: string
      params?: { chunk?: string }
    }
    if (method === 'HeapProfiler.addHeapSnapshotChunk') chunks.push(params?.chunk ?? '')
    if (id === undefined) return
    answers.get(id)?.(result)
    answers.delete(id)
  })
  await once(socket, 'open')
  let last = 0
  const ask = (method: string, params = {}): Promise<unknown> =>
    new Promise((resolve) => {
      answers.set(++last, resolve)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
  return {
    async usedHeapBytes() {
      await ask('HeapProfiler.collectGarbage')
      return ((await ask('Runtime.getHeapUsage')) as { usedSize: number }).usedSize
    },
    async heapSnapshot() {
      chunks = []
      await ask('HeapProfiler.collectGarbage')
      await ask('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
      return chunks.join('')
    },
    close: () => socket.close(),
  }
}
