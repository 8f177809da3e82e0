import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { createGunzip } from 'node:zlib'
import type { Verifier } from './verify.ts'

/** A longer line is none of ours; it is not kept in memory. */
const MAX_LINE_CHARACTERS = 1_000_000

/** Gives every line of the files to the verifier, plain or gzip. Rejects if one cannot be read. */
export async function readAuditFiles(files: readonly string[], take: Verifier['take']): Promise<void> {
  for (const file of files) {
    const decoder = new StringDecoder('utf8')
    let rest = ''
    let number = 0
    for await (const bytes of await openText(file)) {
      const lines = (rest + decoder.write(bytes as Buffer)).split('\n')
      rest = lines.pop()!
      for (const line of lines) take(line, { file, line: ++number }, true)
      if (rest.length > MAX_LINE_CHARACTERS) rest = rest.slice(0, MAX_LINE_CHARACTERS)
    }
    if (rest !== '') take(rest, { file, line: ++number }, false)
  }
}

async function openText(file: string): Promise<Readable> {
  const handle = await open(file, 'r')
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
  await handle.close()
  const stream = createReadStream(file)
  if (bytesRead < 2 || buffer[0] !== 0x1f || buffer[1] !== 0x8b) return stream
  const text = createGunzip()
  // An error of the file must reach the reader too.
  stream.on('error', (error) => text.destroy(error))
  return stream.pipe(text)
}
