import { createServer, request } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import t from 'tap'
import { noPermit, refreshRequest, setUp } from './world.ts'

t.test('with HTTPS_PROXY, requests to Microsoft go through the proxy, which gets user and password', async (t) => {
  const passed: { to: string; credentials: string | undefined }[] = []
  const proxy = createServer((incoming, outgoing) => {
    passed.push({ to: incoming.url ?? '', credentials: incoming.headers['proxy-authorization'] })
    incoming.pipe(
      request(incoming.url!, { method: incoming.method, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      }),
    )
  })
  proxy.on('connect', ({ url = '', headers }, socket) => {
    passed.push({ to: url, credentials: headers['proxy-authorization'] })
    const [host, port] = url.split(':') as [string, string]
    const far = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(far).pipe(socket)
    })
    far.on('error', () => socket.destroy())
    socket.on('error', () => far.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  t.teardown(() => proxy.close())
  const { port } = proxy.address() as AddressInfo
  const { microsoft } = await setUp(t, { proxy: `http://broker:p%40ss@127.0.0.1:${port}/` })
  t.teardown(() => microsoft.close())
  t.equal((await microsoft.refresh(refreshRequest, noPermit)).kind, 'tokens')
  t.ok(passed.length > 0)
  t.equal(passed[0]!.credentials, `Basic ${Buffer.from('broker:p@ss').toString('base64')}`)
})
