// Programs that a test starts, and ends again whatever happens.

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

// A slow machine under load takes its time; a test that hangs is still ended.
export const PATIENCE_MS = 30_000

const running = new Set()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))

/** Starts a program; `output` grows with what it prints. */
export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  running.add(child)
  const started = { child, output: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text) => (started.output += text))
  }
  started.ended = new Promise((resolve) => {
    child.on('error', (error) => ((started.output += error.message), resolve(-1)))
    child.on('exit', (code, signal) => (running.delete(child), resolve(code ?? signal)))
  })
  return started
}

/** Runs a program to its end and returns what it printed; fails when it does. */
export async function run(program, args, options) {
  const started = start(program, args, options)
  const code = await started.ended
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}:\n${started.output}`)
  return started.output
}

/** Asks a program to end and waits for it. */
export async function stop(started) {
  started.child.kill('SIGTERM')
  const late = setTimeout(() => started.child.kill('SIGKILL'), PATIENCE_MS)
  const code = await started.ended
  clearTimeout(late)
  return code
}

/** Waits until `probe` returns something, and fails with what was waited for. */
export async function until(what, probe, patience = PATIENCE_MS) {
  const end = Date.now() + patience
  for (;;) {
    const found = await probe()
    if (found) return found
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** A port of the loopback address that nobody listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
