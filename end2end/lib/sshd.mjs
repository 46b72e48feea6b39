// The real OpenSSH server on a port of its own, one process for each connection.

import { spawn } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

import { run } from './process.mjs'

/** Starts one that lets in nobody yet; `admit` takes a line of `authorized_keys`. */
export async function startSshd() {
  // Where it wants an empty folder to lock its unprivileged half into.
  await mkdir('/run/sshd', { recursive: true })
  const folder = await mkdtemp(join(tmpdir(), 'doorward-sshd-'))
  const [hostKey, admitted, config] = ['host', 'authorized_keys', 'config'].map((name) => join(folder, name))
  const makeHostKey = async () => {
    await rm(hostKey, { force: true })
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey])
  }
  await makeHostKey()
  await writeFile(admitted, '')
  await writeFile(
    config,
    `HostKey ${hostKey}\nAuthorizedKeysFile ${admitted}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n` +
      'KbdInteractiveAuthentication no\nPermitRootLogin yes\nPidFile none\nLogLevel ERROR\nUseDNS no\n',
  )
  const serving = new Set()
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn('/usr/sbin/sshd', ['-i', '-e', '-f', config], { stdio: [socket, socket, 'ignore'] })
    serving.add(child)
    child.on('exit', () => serving.delete(child))
    // The child has a handle of its own.
    socket.destroy()
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  const hangUp = () => serving.forEach((child) => child.kill('SIGKILL'))
  return {
    address: `${userInfo().username}@127.0.0.1:${server.address().port}`,
    admit: (line) => appendFile(admitted, `${line}\n`),
    /** Gives it another host key and ends every connection. */
    async replaceHostKey() {
      await rm(`${hostKey}.pub`, { force: true })
      await makeHostKey()
      hangUp()
    },
    async stop() {
      server.close()
      hangUp()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
