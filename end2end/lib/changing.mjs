// A source whose tools, wishes and moods a test changes while it runs: legacy MCP over HTTP, as small as it can be.

import { createServer } from 'node:http'

const REVISION = '2025-11-25'

/**
 * Starts it. `tools`, `resources`, `templates` and `prompts` are listed as they stand; with `token` set it wants that
 * one; `call` answers a tool's call, `read` the reading of a resource, `get` the getting of a prompt.
 */
export async function changingSource({ token, call = () => ({ content: [] }), ...offer }) {
  const source = { tools: [], resources: [], templates: [], prompts: [], ...offer, token, call, failing: false }

  const answer = async ({ method, params }) => {
    if (method === 'initialize') {
      const capabilities = { tools: {} }
      if (source.prompts.length > 0) capabilities.prompts = {}
      if (source.resources.length + source.templates.length > 0) capabilities.resources = {}
      return { protocolVersion: REVISION, capabilities, serverInfo: { name: 'changing', version: '1' } }
    }
    if (method === 'tools/list') return { tools: source.tools }
    if (method === 'resources/list') return { resources: source.resources }
    if (method === 'resources/templates/list') return { resourceTemplates: source.templates }
    if (method === 'prompts/list') return { prompts: source.prompts }
    if (method === 'tools/call') return source.call(params)
    if (method === 'resources/read') return source.read(params)
    if (method === 'prompts/get') return source.get(params)
    if (method === 'ping') return {}
    throw Object.assign(new Error('Method not found'), { code: -32601 })
  }

  const outcome = (message) =>
    answer(message).then(
      (result) => ({ result }),
      ({ code = -32602, message }) => ({ error: { code, message } }),
    )

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
    const body = JSON.stringify({ jsonrpc: '2.0', id: message.id, ...(await outcome(message)) })
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
