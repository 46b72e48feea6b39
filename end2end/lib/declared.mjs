// What most flows stand on: a gateway of declared users, with a source that the test may change.

import assert from 'node:assert/strict'

import { FILES, USERS } from './account.mjs'
import { changingSource } from './changing.mjs'
import { startGateway } from './gateway.mjs'

/**
 * Starts a changing source called `name`, a gateway whose owner Ada takes all of it into each of the presets `slugs`,
 * and a key of hers. What `source` has in it is handed to the changing source.
 */
export async function declaredGateway({ name, slugs = [name], source: offer }) {
  const source = await changingSource(offer)
  const presets = slugs.map(
    (slug) =>
      `  - { owner: ada, slug: ${slug}, visibility: private, ` +
      `tools: [{ source: ${name}, allow: all, resources: all, prompts: all }] }`,
  )
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: ${name}, kind: mcp_http, url: "${source.url}" }
presets:
${presets.join('\n')}
keys:
  - { owner: ada, name: agent, secret_file: agent.key }
`
  const gateway = await startGateway({ declared, files: FILES })
  const key = await gateway.read('agent.key')
  return {
    ...gateway,
    source,
    key,
    /** Where a client finds a preset, and the key it shows there. */
    to: (slug) => ({ address: `${gateway.url}/mcp/ada/${slug}`, key }),
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await source.stop()
    },
  }
}
