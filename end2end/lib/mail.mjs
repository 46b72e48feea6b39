// A real mail server on the loopback address, which keeps what it takes.

import { once } from 'node:events'

import { SMTPServer } from 'smtp-server'

import { until } from './process.mjs'

/** Starts one that wants neither TLS nor a password; `next()` waits for a letter and takes it, as it came. */
export async function startMail() {
  const letters = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, _session, done) {
      const pieces = []
      stream.on('data', (piece) => pieces.push(piece))
      stream.on('end', () => {
        letters.push(Buffer.concat(pieces).toString('utf8'))
        done()
      })
    },
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: server.server.address().port,
    next: () => until('a letter', async () => letters.shift()),
    stop: () => new Promise((stopped) => server.close(stopped)),
  }
}
