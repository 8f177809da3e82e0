import { connect } from 'node:net'

/** Sends bytes to a listener and reads until the connection ends. */
export async function raw(url: string, bytes: string): Promise<string> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(bytes)
  let text = ''
  try {
    for await (const chunk of socket) text += String(chunk)
  } catch {
    // The broker has closed the connection while we were still sending.
  }
  return text
}
