// A gateway of a test's own: its program, a free port and a folder for its data.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePort, run, start, stop, until } from './process.mjs'
import { DOORWARD } from './programs.mjs'

/**
 * Starts `doorward serve`. With `declared`, a document of `doorward apply`, that is applied first; files it names
 * (passwords, keys) lie in the gateway's folder.
 */
export async function startGateway({ declared, files = {}, env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const settings = {
    PATH: process.env.PATH,
    HOME: folder,
    DOORWARD_LISTEN: `127.0.0.1:${port}`,
    DOORWARD_DATA_DIR: join(folder, 'data'),
    ...env,
  }
  const options = { cwd: folder, env: settings }

  const apply = async (document) => {
    await writeFile(join(folder, 'declared.yaml'), document)
    return run(DOORWARD, ['apply', join(folder, 'declared.yaml')], options)
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  if (declared) await apply(declared)

  const server = start(DOORWARD, ['serve'], options)
  const gone = server.ended.then((code) => {
    throw new Error(`doorward ended with ${code}:\n${server.output}`)
  })
  gone.catch(() => {})
  const ready = () => fetch(`${url}/ready`).then((answer) => answer.ok, () => false)
  await Promise.race([until('the gateway to be ready', ready), gone])

  return {
    url,
    folder,
    server,
    /** Runs another command of the program on the same installation. */
    command: (...args) => run(DOORWARD, args, options),
    /** Reads a file that the program wrote, such as a key. */
    read: async (name) => (await readFile(join(folder, name), 'utf8')).trim(),
    /** The one-time link that the program printed. */
    setupLink: () => until('the set-up link', () => server.output.match(/http\S+\/setup\?token=[^\s\x1b"]+/)?.[0]),
    async stop() {
      const code = await stop(server)
      await rm(folder, { recursive: true, force: true })
      return code
    },
  }
}
