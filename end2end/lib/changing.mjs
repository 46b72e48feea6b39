// A source whose tools, wishes and moods a test changes while it runs: legacy MCP over HTTP, as small as it can be.

import { createServer } from 'node:http'

const REVISION = '2025-11-25'

/** Starts it. `tools` is listed as it stands; with `token` set it wants that one; `call` answers a tool's call. */
export async function changingSource({ tools, token, call = () => ({ content: [] }) }) {
  const source = { tools, token, call, failing: false }

  const answer = async ({ method, params }) => {
    if (method === 'initialize') {
      const serverInfo = { name: 'changing', version: '1' }
      return { result: { protocolVersion: REVISION, capabilities: { tools: {} }, serverInfo } }
    }
    if (method === 'tools/list') return { result: { tools: source.tools } }
    if (method === 'tools/call') return { result: await source.call(params) }
    if (method === 'ping') return { result: {} }
    return { error: { code: -32601, message: 'Method not found' } }
  }

  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    if (source.failing) return response.writeHead(500).end('broken')
    if (source.token && request.headers.authorization !== `Bearer ${source.token}`) {
      return response.writeHead(401, { 'www-authenticate': 'Bearer realm="changing"' }).end()
    }
    if (request.method !== 'POST') return response.writeHead(405).end()
    const message = JSON.parse(Buffer.concat(chunks))
    if (message.id === undefined) return response.writeHead(202).end()
    const body = JSON.stringify({ jsonrpc: '2.0', id: message.id, ...(await answer(message)) })
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))

  source.url = `http://127.0.0.1:${server.address().port}/mcp`
  source.stop = () => {
    server.closeAllConnections()
    return new Promise((closed) => server.close(closed))
  }
  return source
}

/** A tool without arguments. */
export const tool = (name, description, more = {}) => ({
  name,
  description,
  inputSchema: { type: 'object', properties: {} },
  ...more,
})
