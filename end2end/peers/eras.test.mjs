// Real clients call real sources through presets: every client with every source, so that all four pairs of eras are
// there, and what arrives is what the source itself answers.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { DOORWARD, STDIO, everythingOverHttp, notesOverHttp } from '../lib/programs.mjs'
import { CLIENTS, MODERN } from './clients.mjs'

/** What a source is, and one call of it whose answer is known. */
const SOURCES = {
  'everything-stdio': {
    era: 'legacy',
    tools: 13,
    call: ['get-sum', { a: 40, b: 2 }],
    says: 'The sum of 40 and 2 is 42.',
    slow: ['trigger-long-running-operation', { duration: 0.3, steps: 3 }],
  },
  'everything-http': {
    era: 'legacy',
    tools: 13,
    call: ['echo', { message: 'naïve ☕ "quoted"' }],
    says: 'Echo: naïve ☕ "quoted"',
    slow: ['trigger-long-running-operation', { duration: 0.3, steps: 3 }],
  },
  'notes-http': {
    era: 'modern',
    tools: 4,
    call: ['add_note', { title: 'milk', text: 'two bottles' }],
    says: 'kept milk',
    slow: ['count_slowly', { steps: 3 }],
  },
  'notes-stdio': {
    era: 'modern',
    tools: 4,
    call: ['add_note', { title: 'bread', text: 'one loaf' }],
    says: 'kept bread',
    slow: ['count_slowly', { steps: 3 }],
  },
  'time-stdio': {
    era: 'modern',
    tools: 2,
    call: ['convert_time', { source_timezone: 'UTC', time: '12:00', target_timezone: 'Asia/Tokyo' }],
    says: /T21:00:00\+09:00/,
  },
}

const yaml = JSON.stringify // every JSON value is one of YAML's

const declared = (urls) => `
version: 1
users:
  - { handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: enterprise }
sources:
  - { owner: ada, name: everything-stdio, kind: mcp_stdio, command: ${yaml(STDIO.everything)} }
  - { owner: ada, name: notes-stdio, kind: mcp_stdio, command: ${yaml(STDIO.notes)} }
  - { owner: ada, name: time-stdio, kind: mcp_stdio, command: ${yaml(STDIO.time)} }
  - { owner: ada, name: everything-http, kind: mcp_http, url: ${yaml(urls.everything)} }
  - { owner: ada, name: notes-http, kind: mcp_http, url: ${yaml(urls.notes)} }
presets:
${Object.keys(SOURCES)
  .map((name) => `  - { owner: ada, slug: ${name}, visibility: private, tools: [{ source: ${name}, allow: all }] }`)
  .join('\n')}
  - owner: ada
    slug: mixed
    visibility: private
    tools: [{ source: notes-http, allow: all }, { source: everything-stdio, allow: all }, { source: time-stdio, allow: all }]
keys:
  - { owner: ada, name: agent, secret_file: agent.key }
`

let gateway, peers, key

before(async () => {
  peers = { notes: await notesOverHttp(), everything: await everythingOverHttp() }
  const urls = { notes: peers.notes.url, everything: peers.everything.url }
  gateway = await startGateway({ declared: declared(urls), files: { 'ada.password': 'correct horse battery\n' } })
  key = await gateway.read('agent.key')
})

after(async () => {
  if (gateway) assert.equal(await gateway.stop(), 0, gateway.server.output)
  await Promise.all(Object.values(peers ?? {}).map(({ server }) => stop(server)))
})

const address = (slug) => ({ url: `${gateway.url}/mcp/ada/${slug}`, key })
const text = (result) => result.content.map((part) => part.text).join('\n')

for (const [clientName, client] of Object.entries(CLIENTS)) {
  describe(clientName, () => {
    for (const [name, source] of Object.entries(SOURCES)) {
      test(`${client.era} caller, ${source.era} source: ${name}`, async () => {
        const session = await client.open(address(name))
        try {
          assert.equal(await session.revision(), client.revision)
          const tools = await session.list()
          assert.equal(tools.length, source.tools)

          const result = await session.call(...source.call)
          assert.ok(!result.isError, text(result))
          assert.ok(source.says instanceof RegExp ? source.says.test(text(result)) : text(result) === source.says)

          if (source.slow) {
            const steps = []
            const slow = await session.call(...source.slow, (told) => steps.push(told.progress))
            assert.ok(!slow.isError, text(slow))
            assert.deepEqual(steps, [1, 2, 3])
          }
        } finally {
          await session.close()
        }
      })
    }

    test(`${client.era} caller: a preset of sources of both eras is one server`, async () => {
      const session = await client.open(address('mixed'))
      try {
        assert.equal((await session.list()).length, 4 + 13 + 2)
        const sum = await session.call('sum_up', { numbers: [1.5, 2, 1e21] })
        assert.deepEqual(sum.structuredContent, { sum: 1e21, count: 3 })
        const weather = await session.call('get-structured-content', { location: 'New York' })
        assert.equal(typeof weather.structuredContent.temperature, 'number')
        const missing = await session.call('read_note', { title: 'never kept' })
        assert.equal(missing.isError, true)
      } finally {
        await session.close()
      }
    })

    test(`${client.era} caller: a key that is wrong opens nothing`, async () => {
      await assert.rejects(client.open({ ...address('mixed'), key: 'dw_AAAAAAAAAAAAAAAAAAAAAA_wrong' }))
      await assert.rejects(client.open({ ...address('no-such-preset') }))
    })
  })
}

const byName = (one, other) => one.name.localeCompare(other.name)

test('the same schemas arrive through the gateway as from the source itself', async () => {
  const shape = (tools) =>
    tools
      .map(({ name, description, inputSchema, outputSchema }) => ({ name, description, inputSchema, outputSchema }))
      .sort(byName)
  for (const client of Object.values(CLIENTS)) {
    const [direct, through] = [await client.open(peers.notes), await client.open(address('notes-http'))]
    try {
      assert.deepEqual(shape(await through.list()), shape(await direct.list()))
    } finally {
      await Promise.all([direct.close(), through.close()])
    }
  }
})

test('schemas keep the order of their members', async () => {
  const list = async (url) => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': MODERN,
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': MODERN,
        'Mcp-Method': 'tools/list',
        Authorization: `Bearer ${key}`,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }),
    })
    assert.equal(answer.status, 200)
    const { result } = await answer.json()
    return result.tools.sort(byName).map(({ inputSchema, outputSchema }) => JSON.stringify([inputSchema, outputSchema]))
  }
  assert.deepEqual(await list(address('notes-http').url), await list(peers.notes.url))
})

test('`doorward connect` makes a preset a stdio server of either era', async () => {
  for (const mode of ['npm client 2.4, legacy', 'npm client 2.4, auto', 'PyPI mcp 2.3, auto']) {
    const command = [DOORWARD, 'connect', address('mixed').url, '--key-file', `${gateway.folder}/agent.key`]
    const session = await CLIENTS[mode].open({ command, env: { PATH: process.env.PATH } })
    try {
      assert.equal((await session.list()).length, 19)
      assert.equal(text(await session.call('get-sum', { a: 1, b: 1 })), 'The sum of 1 and 1 is 2.')
      if (CLIENTS[mode].era === 'modern') assert.equal(await session.revision(), MODERN)
    } finally {
      await session.close()
    }
  }
})
