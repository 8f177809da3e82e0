import type { BrokerClient } from './broker-client.ts'

// How MEGDocs follows the events of the broker and repeats disconnects that a restore undid (docs/design.md#events).
// The real MEGDocs uses clients/python.

interface Page {
  events: { at: string; user_id: string; type: string }[]
  cursor: string
  more: boolean
}

export interface EventReader {
  /** Undefined: nothing was read yet. */
  cursor: string | undefined
  /** Sends a disconnect and remembers it. */
  disconnect(userId: string): Promise<void>
  /**
   * Reads to the end. Resolves with the number of disconnects that were repeated, and whether the cursor had expired.
   */
  read(): Promise<{ repeated: number; expired: boolean }>
}

export function createEventReader(client: BrokerClient): EventReader {
  /** The last disconnect of each user. `sent`: its event was not read yet. */
  const known = new Map<string, { at: string; sent: boolean }>()

  async function repeat(users: Iterable<string>): Promise<number> {
    let repeated = 0
    for (const user of users) {
      const { at } = known.get(user)!
      const { status } = await client.send('DELETE', `/integrations/${user}?connected_before=${at}`)
      if (status !== 204) throw new Error(`a disconnect could not be repeated: ${status}`)
      known.set(user, { at, sent: false })
      repeated++
    }
    return repeated
  }

  async function begin(): Promise<string> {
    const { body } = await client.send('GET', '/integrations?limit=1')
    return (body as { events_cursor: string }).events_cursor
  }

  const reader: EventReader = {
    cursor: undefined,
    async disconnect(userId) {
      await client.disconnect(userId)
      known.set(userId, { at: new Date().toISOString(), sent: true })
    },
    async read() {
      let repeated = 0
      let expired = false
      for (;;) {
        reader.cursor ??= await begin()
        const sent = [...known].flatMap(([user, { sent: isSent }]) => (isSent ? [user] : []))
        const { status, body } = await client.send('GET', `/events?after=${reader.cursor}`)
        if (status === 410) {
          expired = true
          repeated += await repeat([...known.keys()])
          reader.cursor = undefined
          continue
        }
        if (status !== 200) throw new Error(`events cannot be read: ${status}`)
        const { events, cursor, more } = body as Page
        for (const { type, user_id: user, at } of events)
          if (type === 'disconnected') known.set(user, { at, sent: false })
        reader.cursor = cursor
        if (more) continue
        // Everything was read, and their events are missing: they were lost behind a cursor that is still good.
        return { repeated: repeated + (await repeat(sent.filter((user) => known.get(user)!.sent))), expired }
      }
    },
  }
  return reader
}
