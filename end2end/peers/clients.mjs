// The real clients, each behind the same few words.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import * as modern from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as OldHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

import { PYTHON } from '../lib/programs.mjs'

const NAME = { name: 'doorward-end2end', version: '1' }

/** The revisions that the eras end with. */
export const LEGACY = '2025-11-25'
export const MODERN = '2026-07-28'

/** Every client: the revision it must arrive at, and how it opens an address (or, with `command`, a process). */
export const CLIENTS = {
  'npm sdk 1.32': { revision: LEGACY, era: 'legacy', open: openOld },
  'npm client 2.4, legacy': { revision: LEGACY, era: 'legacy', open: (to) => openNew(to, 'legacy') },
  'npm client 2.4, auto': { revision: MODERN, era: 'modern', open: (to) => openNew(to, 'auto') },
  'PyPI mcp 2.3, auto': { revision: MODERN, era: 'modern', open: (to) => openPython(to, 'auto') },
  'PyPI mcp 2.3, legacy': { revision: LEGACY, era: 'legacy', open: (to) => openPython(to, 'legacy') },
}

const headers = (key) => (key ? { Authorization: `Bearer ${key}` } : {})

async function openOld({ url, key }) {
  const client = new OldClient(NAME)
  const transport = new OldHttp(new URL(url), { requestInit: { headers: headers(key) } })
  await client.connect(transport)
  return {
    revision: async () => transport.protocolVersion,
    list: () => allTools((cursor) => client.listTools({ cursor })),
    call: (name, args, onprogress) => client.callTool({ name, arguments: args }, undefined, { onprogress }),
    close: () => client.close(),
  }
}

async function openNew({ url, key, command, env }, mode) {
  const client = new modern.Client(NAME, { versionNegotiation: { mode } })
  const transport = command
    ? new StdioClientTransport({ command: command[0], args: command.slice(1), env, stderr: 'inherit' })
    : new modern.StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: headers(key) } })
  await client.connect(transport)
  return {
    revision: async () => client.getNegotiatedProtocolVersion(),
    list: () => allTools((cursor) => client.listTools({ cursor })),
    call: (name, args, onprogress) => client.callTool({ name, arguments: args }, { onprogress }),
    close: () => client.close(),
  }
}

async function allTools(page) {
  const tools = []
  let cursor
  do {
    const answer = await page(cursor)
    tools.push(...answer.tools)
    cursor = answer.nextCursor
  } while (cursor)
  return tools
}

/** The Python client is a process that takes a request per line and answers with a line. */
async function openPython({ url, key, command }, mode) {
  const target = JSON.stringify({ url, key, command, mode })
  const script = join(import.meta.dirname, '../programs/client.py')
  const child = spawn(PYTHON, [script, target], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()

  const ask = async (request, onprogress) => {
    child.stdin.write(`${JSON.stringify(request)}\n`)
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error('the Python client ended')
      const answer = JSON.parse(value)
      if ('progress' in answer) onprogress?.(answer.progress)
      else if ('error' in answer) throw Object.assign(new Error(answer.error.message), answer.error)
      else return answer.result
    }
  }
  await ask({ do: 'open' })
  return {
    revision: () => ask({ do: 'revision' }),
    list: () => ask({ do: 'list' }),
    call: (name, args, onprogress) => ask({ do: 'call', name, arguments: args }, onprogress),
    async close() {
      child.stdin.end()
      await new Promise((resolve) => child.on('exit', resolve))
    },
  }
}
