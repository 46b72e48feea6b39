// What a person does with a new server, for the suite for clients: makes it a source, signs in to it where it wants
// that, puts it into a preset, and has an agent list and call its tools through the gateway. The suite's server is the last argument.

import { randomBytes } from 'node:crypto'

import { ABLE, ANSWERS, MODERN, legacyCaller, modernCaller } from '../matrix/callers.mjs'

import { person } from './person.mjs'

const { DOORWARD_URL, DOORWARD_KEY, DOORWARD_PASSWORD } = process.env
const { MCP_CONFORMANCE_PROTOCOL_VERSION, MCP_CONFORMANCE_CONTEXT, MCP_CONFORMANCE_SCENARIO } = process.env
const server = process.argv.at(-1)
const name = `suite-${randomBytes(4).toString('hex')}`

async function api(method, path, body) {
  const answer = await fetch(`${DOORWARD_URL}/api/v1/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${DOORWARD_KEY}` },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} was answered with ${answer.status}: ${text}`)
  return text && JSON.parse(text)
}

const context = JSON.parse(MCP_CONFORMANCE_CONTEXT || '{}')
// A gateway at a public address is known by its document there; this one is told what it would be.
const DOCUMENT = 'https://conformance-test.local/client-metadata.json'
const known = MCP_CONFORMANCE_SCENARIO === 'auth/basic-cimd' ? { client_id: DOCUMENT } : context
const { client_id, client_secret } = known
const auth = MCP_CONFORMANCE_SCENARIO?.startsWith('auth/') ? { oauth: { client_id, client_secret } } : undefined
const { source, report } = await api('POST', 'datasources', { name, kind: 'mcp_http', url: server, auth })
console.error(JSON.stringify(report))
const preset = await api('POST', 'presets', { slug: name, visibility: 'public', anonymous: true, sources: [{ source: source.id, all: true }] })

const somebody = auth && (await person(DOORWARD_URL, 'ada', DOORWARD_PASSWORD))
if (somebody) await somebody.signInTo(name)

// A user who keeps every default that a form proposes.
const defaults = ({ requestedSchema }) => {
  const fields = Object.entries(requestedSchema?.properties ?? {})
  const content = fields.flatMap(([field, schema]) => ('default' in schema ? [[field, schema.default]] : []))
  return { action: 'accept', content: Object.fromEntries(content) }
}
const open = MCP_CONFORMANCE_PROTOCOL_VERSION === MODERN ? modernCaller : legacyCaller
const caller = await open(`${DOORWARD_URL}/mcp/ada/${name}`, ABLE, { ...ANSWERS, 'elicitation/create': defaults })

try {
  const list = async () => {
    const { result, error } = await caller.ask('tools/list')
    if (error) throw new Error(`tools/list: ${error.message}`)
    return result.tools
  }
  let tools = await list()
  // The source did not take the first sign-in, which the console says; its owner tries once more.
  if (somebody && tools.length === 0 && (await somebody.signInTo(name))) tools = await list()
  for (const call of calls(tools)) {
    const tool = tools.find(({ name }) => name === call.name)
    const headers = caller.era === 'modern' ? mirrored(tool?.inputSchema, call.arguments ?? {}) : {}
    let answer = await caller.ask('tools/call', call, { headers })
    // An agent that nobody knows is told that the owner has to sign in again, who does.
    const isOver = JSON.stringify(answer.result ?? '').includes('has to be signed in to again')
    if (isOver && (await somebody.signInTo(name))) answer = await caller.ask('tools/call', call, { headers })
    console.error(call.name, JSON.stringify(answer.result ?? answer.error))
  }
  await caller.close()
} finally {
  // The suite's server ends when nobody is connected any more.
  await api('DELETE', `presets/${preset.id}`)
  await api('DELETE', `datasources/${source.id}`)
}

/** The calls that the suite names, or else one of each tool. */
function calls(tools) {
  const wanted = context.toolCalls
  if (wanted?.length > 0) return wanted
  // A tool that wants to be told a schema is told the one of another, as it arrived.
  const schema = (name) => tools.find((tool) => tool.name !== name)?.inputSchema
  return tools.map(({ name, inputSchema }) => ({ name, arguments: samples(inputSchema, schema(name)) }))
}

/** An argument of the right type for everything a schema requires. */
function samples({ properties = {}, required = [] }, schema) {
  const sample = { number: 1.5, integer: 1, string: 'test', boolean: true, object: {}, array: [] }
  const value = (field) => (field === 'schema' ? schema : (sample[properties[field]?.type] ?? null))
  return Object.fromEntries(required.map((field) => [field, value(field)]))
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
