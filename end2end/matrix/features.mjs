// Every feature of the protocol: how a caller tries it, and how it is seen to work.
//
// A feature returns when it works. It throws `Refused` with what the caller sees when it was told clearly that this
// cannot be had, and anything else when it fails. Refusals count as honest only where `CANNOT` says why.

import assert from 'node:assert/strict'
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { ABLE } from './callers.mjs'
import { until } from './wire.mjs'

/** The caller was told clearly that it cannot have this. */
export class Refused extends Error {}

const definitions = async (name) => JSON.parse(await readFile(join(import.meta.dirname, '../fixture/src', name), 'utf8'))
const [SUITES, MATRIX] = [await definitions('offer.json'), await definitions('matrix.json')]

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } }

/** What cannot be had, and why. */
export const CANNOT = {
  tasks: {
    when: ({ caller, source }) => caller === 'legacy' || source.era === 'legacy',
    why: 'tasks of 2026-07-28 and the experiment of 2025-11-25 have nothing in common on the wire; both ends must be modern',
  },
  'cancellation by notification': {
    when: ({ caller }) => caller === 'modern',
    why: 'in 2026-07-28 over HTTP a caller cancels by closing the stream; the notification is for standard input and output',
  },
}

const text = ({ result }) => result.content.map((part) => part.text).join('\n')

/** The result of an answer, which must not be an error. */
function good(answer) {
  if (answer.error) throw new Error(`${answer.error.code} ${answer.error.message} (HTTP ${answer.status})`)
  if (answer.result.isError) throw new Error(`the tool failed: ${text(answer)}`)
  return answer.result
}

const tool = (caller, name, args = {}, options) => caller.ask('tools/call', { name, arguments: args }, options)

/** Every page of a list. */
async function list(caller, method, member) {
  const [items, pages] = [[], 20]
  let cursor
  for (let page = 0; page < pages; page += 1) {
    const result = good(await caller.ask(method, cursor === undefined ? {} : { cursor }))
    items.push(...result[member])
    cursor = result.nextCursor
    if (cursor === undefined) return items
  }
  throw new Error(`${method} has more than ${pages} pages`)
}

/** Asks one thing in the middle of a call, and nothing of a caller that cannot answer. */
async function asks(world, what, said) {
  const caller = await world.open()
  const answer = await tool(caller, 'matrix_ask', { what })
  good(answer)
  assert.equal(answer.questions.length, 1, 'questions')
  assert.equal(text(answer), said)
  await caller.close()

  const deaf = await world.open({})
  const refused = await tool(deaf, 'matrix_ask', { what })
  assert.equal(refused.questions.length, 0, 'a caller that declared nothing is asked nothing')
  assert.ok(refused.error || refused.result.isError, `answered without having asked: ${JSON.stringify(refused.result)}`)
  if (refused.error && deaf.era === 'modern') {
    assert.equal(refused.error.code, -32021)
    assert.ok(refused.error.data?.requiredCapabilities, 'what would have been required')
  }
  await deaf.close()
}

/** Waits for a call to wait at the source. */
const waiting = (world, key) => until('the call to reach the source', () => existsSync(join(world.folder, `${key}.waiting`)))
const cancelled = (world, key) =>
  until('the source to hear of the cancellation', () => existsSync(join(world.folder, `${key}.cancelled`)))
const release = (world, key) => writeFile(join(world.folder, `${key}.release`), '')
const change = (world, what) => appendFile(join(world.folder, 'changes'), `${JSON.stringify(what)}\n`)

/** Each feature in the order of the table. */
export const FEATURES = {
  async tools({ caller }) {
    assert.equal(text(await tool(caller, 'test_simple_text')), 'This is a simple text response for testing.')
    const failed = await tool(caller, 'test_error_handling')
    assert.equal(failed.result.isError, true)
    const image = good(await tool(caller, 'test_multiple_content_types'))
    assert.deepEqual(image.content.map(({ type }) => type), ['text', 'image', 'resource'])
    const unknown = await tool(caller, 'no_such_tool')
    assert.ok(unknown.error?.code === -32602 || unknown.result?.isError, JSON.stringify(unknown))
  },

  async 'structured output'({ caller }) {
    const tools = await list(caller, 'tools/list', 'tools')
    const listed = tools.find(({ name }) => name === 'matrix_structured')
    assert.deepEqual(listed.outputSchema, MATRIX.tools.find(({ name }) => name === 'matrix_structured').outputSchema)
    const result = good(await tool(caller, 'matrix_structured', { numbers: [1, 2, 3.5] }))
    assert.deepEqual(result.structuredContent, { sum: 6.5, count: 3 })
  },

  async resources({ caller }) {
    const uris = (await list(caller, 'resources/list', 'resources')).map(({ uri }) => uri)
    for (const { uri } of SUITES.resources) assert.ok(uris.includes(uri), `${uri} is listed`)
    const read = good(await caller.ask('resources/read', { uri: 'test://static-text' }))
    assert.equal(read.contents[0].text, 'This is the content of the static text resource.')
    assert.ok(good(await caller.ask('resources/read', { uri: 'test://static-binary' })).contents[0].blob)
    const { error } = await caller.ask('resources/read', { uri: 'test://nowhere' })
    assert.ok(caller.era === 'modern' ? error.code === -32602 : [-32002, -32602].includes(error.code), `${error?.code}`)
  },

  async 'resource templates'({ caller }) {
    const templates = await list(caller, 'resources/templates/list', 'resourceTemplates')
    assert.deepEqual(templates.map(({ uriTemplate }) => uriTemplate), ['test://template/{id}/data'])
    const read = good(await caller.ask('resources/read', { uri: 'test://template/42/data' }))
    assert.equal(JSON.parse(read.contents[0].text).id, '42')
  },

  async prompts({ caller }) {
    const names = (await list(caller, 'prompts/list', 'prompts')).map(({ name }) => name)
    assert.deepEqual(names.sort(), SUITES.prompts.map(({ name }) => name).sort())
    const got = await caller.ask('prompts/get', { name: 'test_prompt_with_arguments', arguments: { arg1: 'a', arg2: 'b' } })
    assert.equal(good(got).messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'")
    const embedded = { name: 'test_prompt_with_embedded_resource', arguments: { resourceUri: 'test://static-text' } }
    assert.equal(good(await caller.ask('prompts/get', embedded)).messages[1].content.resource.uri, 'test://static-text')
    assert.equal((await caller.ask('prompts/get', { name: 'nothing' })).error.code, -32602)
  },

  async completion({ caller }) {
    const ask = (ref, value) => caller.ask('completion/complete', { ref, argument: { name: 'arg1', value } })
    const prompt = good(await ask({ type: 'ref/prompt', name: 'test_prompt_with_arguments' }, 'par'))
    assert.deepEqual(prompt.completion.values, ['paris', 'park', 'party'])
    const template = good(await ask({ type: 'ref/resource', uri: 'test://template/{id}/data' }, '12'))
    assert.deepEqual(template.completion.values, ['12', '123'])
  },

  'elicitation, form': (world) => asks(world, 'form', 'User response: action=accept, content={"name":"Ada"}'),
  'elicitation, url': (world) => asks(world, 'url', 'User response: action=accept, content='),
  sampling: (world) => asks(world, 'sampling', 'LLM response: aye'),
  roots: (world) => asks(world, 'roots', 'roots: file:///home/ada'),

  async logging({ caller, open }) {
    await caller.level?.('info')
    // Before 2026-07-28 messages may come on the session's own stream as well.
    const watch = caller.era === 'legacy' ? await caller.watch({}) : undefined
    const answer = await tool(caller, 'matrix_log', {}, caller.logging())
    good(answer)
    const messages = await until('the message', () => {
      const told = [...answer.told, ...(watch?.all ?? [])].filter(({ method }) => method === 'notifications/message')
      return told.length > 0 ? told : undefined
    })
    watch?.close()
    assert.deepEqual(messages.map(({ params }) => params.data), ['logged on the way'])
    if (caller.era === 'legacy') return
    const silent = await open()
    const { told } = await tool(silent, 'matrix_log')
    assert.ok(!told.some(({ method }) => method === 'notifications/message'), 'what was not asked for is not sent')
  },

  async progress({ caller }) {
    for (const token of ['p-1', 7]) {
      const { told } = await tool(caller, 'test_tool_with_progress', {}, caller.progress(token))
      const steps = told.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params)
      assert.deepEqual(steps.map(({ progress, progressToken }) => [progress, progressToken]), [[0, token], [50, token], [100, token]])
    }
    assert.deepEqual((await tool(caller, 'test_tool_with_progress')).told, [], 'nobody asked')
  },

  async 'cancellation by disconnect'(world) {
    const { caller, key } = world
    const call = { name: 'matrix_wait', arguments: { key } }
    const resume = await caller.leave('tools/call', call, () => waiting(world, key))
    if (caller.era === 'modern') return cancelled(world, key)
    // Leaving is not cancelling before 2026-07-28: the call goes on, and its answer can be had later.
    await release(world, key)
    const answer = await resume()
    assert.equal(text(answer), 'released')
    assert.ok(!existsSync(join(world.folder, `${key}.cancelled`)), 'it was not cancelled')
  },

  async 'cancellation by notification'(world) {
    const { caller, key } = world
    const { id, answer } = caller.begin('tools/call', { name: 'matrix_wait', arguments: { key } })
    await waiting(world, key)
    const { status, body } = await caller.cancel(id)
    if (caller.era === 'modern') {
      await release(world, key)
      assert.equal(text(await answer), 'released', 'the call goes on')
      throw new Refused(`HTTP ${status}${body ? ` ${JSON.parse(body).error?.code ?? body}` : ''}, and the call goes on`)
    }
    assert.equal(status, 202)
    await cancelled(world, key)
  },

  async list_changed(world) {
    const extra = join(world.folder, 'extra')
    const uris = async () => (await list(world.caller, 'resources/list', 'resources')).map(({ uri }) => uri)
    assert.ok(!(await uris()).includes('test://extra'), 'not there yet')
    const watch = await world.caller.watch({ resources: true })
    try {
      await writeFile(extra, '')
      await change(world, 'resources')
      await watch.next('notifications/resources/list_changed')
      assert.ok((await uris()).includes('test://extra'), 'listed when it was told')
    } finally {
      await rm(extra, { force: true })
      await change(world, 'resources')
    }
    await watch.next('notifications/resources/list_changed')
    assert.ok(!(await uris()).includes('test://extra'), 'gone when it was told')
    watch.close()
  },

  async 'resource updates'(world) {
    const watch = await world.caller.watch({ uris: ['test://watched-resource'] })
    await change(world, { updated: 'test://static-text' })
    await change(world, { updated: 'test://watched-resource' })
    const { params } = await watch.next('notifications/resources/updated')
    assert.equal(params.uri, 'test://watched-resource', 'only what was asked for')
    watch.close()
  },

  async paging({ caller }) {
    const names = (await list(caller, 'tools/list', 'tools')).map(({ name }) => name)
    const expected = [...SUITES.tools, ...MATRIX.tools].map(({ name }) => name)
    assert.deepEqual(names.sort(), expected.sort(), 'the tools of all pages, each once')
    const { error } = await caller.ask('tools/list', { cursor: 'made up' })
    assert.equal(error?.code, -32602)
  },

  async 'large results'({ caller }) {
    const bytes = 3 << 20
    const said = text(await tool(caller, 'matrix_large', { bytes }))
    assert.equal(said.length, bytes)
    assert.ok(said === '0123456789abcdef'.repeat(bytes / 16), 'the same bytes')
  },

  async tasks({ caller, open }) {
    if (!(await caller.offer()).extensions?.['io.modelcontextprotocol/tasks']) {
      // Who knows tasks is answered without one, or told why not.
      const able = caller.era === 'modern' ? await open({ ...ABLE, ...TASKS }) : caller
      const plain = await tool(able, 'slow_compute', { seconds: 0.05, label: 'x' })
      assert.equal(text(plain), 'slow_compute(x) done after 0.05s')
      const only = await tool(able, 'failing_job')
      assert.ok(only.error || only.result.isError, 'what is only possible as a task is refused')
      const said = only.error ? `${only.error.code}` : 'a failure of the tool'
      throw new Refused(`not offered; a tool that can be a task answers at once, one that must be answers ${said}`)
    }
    const able = await open({ ...ABLE, ...TASKS })
    const { taskId, resultType } = good(await tool(able, 'slow_compute', { seconds: 0.2, label: 'x' }))
    assert.equal(resultType, 'task')
    const done = await until('the task to end', async () => {
      const task = good(await able.ask('tasks/get', { taskId }))
      return task.status === 'working' ? undefined : task
    })
    assert.equal(done.status, 'completed')
    assert.equal(text(done), 'slow_compute(x) done after 0.2s')
    const asking = good(await tool(able, 'confirm_delete', { filename: 'a.txt' })).taskId
    const parked = await until('the question', async () => {
      const task = good(await able.ask('tasks/get', { taskId: asking }))
      return task.status === 'input_required' ? task : undefined
    })
    assert.deepEqual(Object.keys(parked.inputRequests), ['confirm'])
    const inputResponses = { confirm: { action: 'accept', content: { confirm: true } } }
    good(await able.ask('tasks/update', { taskId: asking, inputResponses }))
    await until('the confirmed task to end', async () => good(await able.ask('tasks/get', { taskId: asking })).status === 'completed')
    const long = good(await tool(able, 'slow_compute', { seconds: 30 })).taskId
    good(await able.ask('tasks/cancel', { taskId: long }))
    await until('the task to be cancelled', async () => good(await able.ask('tasks/get', { taskId: long })).status === 'cancelled')
  },

  async 'Apps metadata'({ caller }) {
    const tools = await list(caller, 'tools/list', 'tools')
    const listed = tools.find(({ name }) => name === 'matrix_app')
    assert.equal(listed._meta.ui.resourceUri, 'ui://matrix/app')
    assert.deepEqual(listed._meta.ui.visibility, ['model', 'app'])
    const { contents } = good(await caller.ask('resources/read', { uri: 'ui://matrix/app' }))
    assert.equal(contents[0].mimeType, 'text/html;profile=mcp-app')
    assert.deepEqual(contents[0]._meta.ui.csp, { connectDomains: ['https://example.org'] })
    const called = good(await tool(caller, 'matrix_app'))
    assert.deepEqual(called.structuredContent, { shown: true })
    assert.ok(called._meta['org.example.matrix/kept'], 'what is unknown is kept')
  },
}
