// A way to a server that can be closed: what is asked meanwhile waits until it is opened again.

import { createServer, request } from 'node:http'

/** Stands before the server at `url`. */
export async function gateBefore(url) {
  const { hostname, port } = new URL(url)
  let open = Promise.resolve()
  let release = () => {}
  const server = createServer(async (asked, answer) => {
    await open
    const { method, url: path, headers } = asked
    const onward = request({ hostname, port, method, path, headers: { ...headers, host: `${hostname}:${port}` } })
    onward.on('response', (back) => {
      answer.writeHead(back.statusCode, back.headers)
      back.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    asked.on('error', () => onward.destroy())
    asked.pipe(onward)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close() {
      open = new Promise((resolve) => (release = resolve))
    },
    open() {
      release()
    },
    async stop() {
      release()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
