// A server of the transport of 2024-11-05: a stream that names an endpoint, and messages posted there. No server that
// still speaks it has every feature, so the fixture does the answering: one process for each stream.

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

import { fixtureCommand } from '../lib/fixture.mjs'

/** Starts it on a free port. */
export async function startOldSse({ matrix }) {
  const [program, ...args] = fixtureCommand({ era: 'legacy', matrix })
  const processes = new Map()
  let lastSession = 0

  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1')
    if (request.method === 'GET' && url.pathname === '/sse') {
      const session = String(++lastSession)
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
      processes.set(session, child)
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
      response.write(`event: endpoint\ndata: /message?sessionId=${session}\n\n`)
      createInterface({ input: child.stdout }).on('line', (line) => response.write(`event: message\ndata: ${line}\n\n`))
      child.on('exit', () => (processes.delete(session), response.end()))
      response.on('close', () => child.kill())
    } else if (request.method === 'POST' && url.pathname === '/message') {
      const child = processes.get(url.searchParams.get('sessionId'))
      if (!child) return response.writeHead(404).end('no such session')
      let body = ''
      request.setEncoding('utf8').on('data', (piece) => (body += piece))
      request.on('end', () => {
        child.stdin.write(`${body.replaceAll(/\r?\n/g, ' ')}\n`)
        response.writeHead(202).end('accepted')
      })
    } else {
      response.writeHead(url.pathname === '/sse' ? 405 : 404, { Allow: 'GET' }).end()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/sse`,
    async close() {
      for (const child of processes.values()) child.kill()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
