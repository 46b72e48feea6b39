// Real clients that sign in with OAuth, and the place their answers come to.

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import * as modern from '@modelcontextprotocol/client'

import { PYTHON } from './programs.mjs'

/** Where a client on this computer waits for the browser: `url`, and the parameters of each answer in turn. */
export async function callback() {
  const answers = []
  const waiting = []
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://127.0.0.1')
    if (pathname !== '/callback') return response.writeHead(204).end()
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Done</title><p>You can close this page.')
    const next = waiting.shift()
    if (next) next(searchParams)
    else answers.push(searchParams)
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${server.address().port}/callback`,
    answer: () => (answers.length > 0 ? answers.shift() : new Promise((resolve) => waiting.push(resolve))),
    stop() {
      server.closeAllConnections()
      return new Promise((closed) => server.close(closed))
    },
  }
}

/** Signs the TypeScript client in. `browse` gets the address to open, and is done when the browser came back. */
export async function signInTypeScript({ address, back, browse }) {
  const kept = {}
  let opened
  const provider = {
    redirectUrl: back.url,
    clientMetadata: { client_name: 'The TypeScript client', redirect_uris: [back.url], token_endpoint_auth_method: 'none' },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => void (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => void (kept.tokens = tokens),
    saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
    codeVerifier: () => kept.verifier,
    redirectToAuthorization: (url) => void (opened = url),
  }
  const transport = () => new modern.StreamableHTTPClientTransport(new URL(address), { authProvider: provider })
  const client = () => new modern.Client({ name: 'doorward-end2end', version: '1' }, { versionNegotiation: { mode: 'auto' } })

  const first = transport()
  await client().connect(first).then(
    () => {
      throw new Error('it was let in without signing in')
    },
    (error) => {
      if (!opened) throw error
    },
  )
  await browse(String(opened))
  await first.finishAuth(await back.answer())
  const signedIn = client()
  await signedIn.connect(transport())
  return {
    list: async () => (await signedIn.listTools()).tools.map(({ name }) => name),
    call: (name) => signedIn.callTool({ name, arguments: {} }),
    close: () => signedIn.close(),
  }
}

/** Signs the client of PyPI `mcp` in, and returns the tools it lists and what it hears of one. */
export async function signInPython({ address, back, browse, tool }) {
  const program = join(import.meta.dirname, '../programs/oauth.py')
  const python = spawn(PYTHON, [program, JSON.stringify({ url: address, redirect: back.url, tool })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    for await (const line of createInterface({ input: python.stdout })) {
      const said = JSON.parse(line)
      if (said.error) throw new Error(said.error)
      if (said.result) return said.result
      await browse(said.open)
      python.stdin.write(`${JSON.stringify(Object.fromEntries(await back.answer()))}\n`)
    }
    throw new Error('it ended without a word')
  } finally {
    python.kill()
  }
}
