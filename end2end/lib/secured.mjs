// A server behind TLS with a certificate that signs itself, as people make one for a machine of their own.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { run } from './process.mjs'

/** Starts one that hands everything on to `behind`. */
export async function startSecured(behind) {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-secured-'))
  const paths = ['key', 'certificate'].map((name) => join(folder, name))
  await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '400'],
    ...['-subj', '/CN=notes.example.org', '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', paths[0], '-out', paths[1]],
  ])
  const [key, certificate] = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
  await rm(folder, { recursive: true })
  const server = createServer({ key, cert: certificate }, (asked, answer) => {
    const { method, headers } = asked
    const onward = request(new URL(asked.url, behind), { method, headers }, (found) => {
      answer.writeHead(found.statusCode, found.headers)
      found.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    asked.pipe(onward)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `https://127.0.0.1:${server.address().port}${new URL(behind).pathname}`,
    key,
    certificate,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
