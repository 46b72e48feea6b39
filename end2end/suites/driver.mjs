// What a person does with a new server, for the suite for clients: makes it a source, puts it into a preset, and has
// an agent list and call its tools through the gateway. The suite's server is the last argument.

import { randomBytes } from 'node:crypto'

import { ABLE, ANSWERS, MODERN, legacyCaller, modernCaller } from '../matrix/callers.mjs'

const { DOORWARD_URL, DOORWARD_KEY, MCP_CONFORMANCE_PROTOCOL_VERSION, MCP_CONFORMANCE_CONTEXT } = process.env
const server = process.argv.at(-1)
const name = `suite-${randomBytes(4).toString('hex')}`

async function api(path, body) {
  const answer = await fetch(`${DOORWARD_URL}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${DOORWARD_KEY}` },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}: ${await answer.text()}`)
  return answer.json()
}

const { source, report } = await api('datasources', { name, kind: 'mcp_http', url: server })
console.error(JSON.stringify(report))
await api('presets', { slug: name, visibility: 'public', anonymous: true, sources: [{ source: source.id, all: true }] })

// A user who keeps every default that a form proposes.
const defaults = ({ requestedSchema }) => {
  const fields = Object.entries(requestedSchema?.properties ?? {})
  const content = fields.flatMap(([field, schema]) => ('default' in schema ? [[field, schema.default]] : []))
  return { action: 'accept', content: Object.fromEntries(content) }
}
const open = MCP_CONFORMANCE_PROTOCOL_VERSION === MODERN ? modernCaller : legacyCaller
const caller = await open(`${DOORWARD_URL}/mcp/ada/${name}`, ABLE, { ...ANSWERS, 'elicitation/create': defaults })

const { result, error } = await caller.ask('tools/list')
if (error) throw new Error(`tools/list: ${error.message}`)
const wanted = JSON.parse(MCP_CONFORMANCE_CONTEXT || '{}').toolCalls
const calls = wanted?.length > 0 ? wanted : result.tools.map((tool) => ({ name: tool.name, arguments: samples(tool.inputSchema) }))
for (const call of calls) {
  const tool = result.tools.find(({ name }) => name === call.name)
  const headers = caller.era === 'modern' ? mirrored(tool?.inputSchema, call.arguments ?? {}) : {}
  const answer = await caller.ask('tools/call', call, { headers })
  console.error(call.name, JSON.stringify(answer.result ?? answer.error))
}
await caller.close()

/** An argument of the right type for everything a schema requires. */
function samples({ properties = {}, required = [] }) {
  const sample = { number: 1.5, integer: 1, string: 'test', boolean: true, object: {}, array: [] }
  return Object.fromEntries(required.map((field) => [field, sample[properties[field]?.type] ?? null]))
}

/** The headers that mirror arguments, as the schema asks for. */
function mirrored(schema, values) {
  const headers = {}
  for (const [field, property] of Object.entries(schema?.properties ?? {})) {
    const value = values?.[field]
    if (value === undefined || value === null) continue
    const header = property['x-mcp-header']
    if (header) headers[`Mcp-Param-${header}`] = encoded(String(value))
    else if (property.type === 'object') Object.assign(headers, mirrored(property, value))
  }
  return headers
}

function encoded(text) {
  const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !/^=\?base64\?.*\?=$/i.test(text)
  return plain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`
}
