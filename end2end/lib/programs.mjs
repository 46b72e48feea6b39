// Where the programs under test and their counterparts are.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { freePort, start, until } from './process.mjs'

const ROOT = join(import.meta.dirname, '../..')
export const PEERS = process.env.DOORWARD_PEERS ?? join(ROOT, 'peers')

/** The gateway's program. */
export const DOORWARD = process.env.DOORWARD_PROGRAM ?? join(ROOT, 'target/debug/doorward')

/** The browser's program. */
export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'

/** The Python that has the peers. */
export const PYTHON = join(PEERS, 'python/bin/python')

/** `@modelcontextprotocol/server-everything`, to be run by Node. */
export const EVERYTHING = join(PEERS, 'npm/node_modules/@modelcontextprotocol/server-everything/dist/index.js')

/** The project's own server on PyPI `mcp`. */
export const NOTES = join(ROOT, 'end2end/programs/notes_server.py')

for (const [what, path] of Object.entries({ DOORWARD, CHROMIUM, PYTHON, EVERYTHING })) {
  if (!existsSync(path)) throw new Error(`${what} is missing at ${path}: run \`cargo xtask test\``)
}

/** The command lines of stdio servers. */
export const STDIO = {
  everything: [process.execPath, EVERYTHING, 'stdio'],
  time: [PYTHON, '-m', 'mcp_server_time', '--local-timezone', 'UTC'],
  notes: [PYTHON, NOTES],
}

/** Starts the notes server (2026-07-28 and before) on HTTP. */
export async function notesOverHttp() {
  const port = await freePort()
  const server = start(PYTHON, [NOTES, String(port)])
  return { ...(await answering(server, port, 'notes')), server }
}

/** Starts server-everything (2025-11-25 and before) on HTTP. */
export async function everythingOverHttp() {
  const port = await freePort()
  const server = start(process.execPath, [EVERYTHING, 'streamableHttp'], { env: { ...process.env, PORT: port } })
  return { ...(await answering(server, port, 'everything')), server }
}

async function answering(server, port, name) {
  const url = `http://127.0.0.1:${port}/mcp`
  await until(`${name} to listen: ${server.output}`, () => fetch(url, { method: 'POST' }).then(() => true, () => false))
  return { url }
}
