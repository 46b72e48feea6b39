// API keys: what one reaches, until when it works, and that a revoked one is refused.

import assert from 'node:assert/strict'
import { join } from 'node:path'

import { FILES, USERS, signIn } from '../lib/account.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { callTool } from '../lib/clients.mjs'
import { change } from '../lib/database.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

async function prepare() {
  const source = await changingSource({ tools: [tool('work', 'Works.')] })
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: tools, kind: mcp_http, url: "${source.url}" }
presets:
  - { owner: ada, slug: first, visibility: private, tools: [{ source: tools, allow: all }] }
  - { owner: ada, slug: second, visibility: private, tools: [{ source: tools, allow: all }] }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    call: (slug, key) => callTool({ address: `${gateway.url}/mcp/ada/${slug}`, key }, 'work'),
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await source.stop()
    },
  }
}

async function make(page, { name, reach, presets = [], life }) {
  await page.goto('/keys')
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel(reach).check()
  for (const preset of presets) await page.getByLabel(preset, { exact: true }).check()
  if (life) await page.getByLabel('It works for').selectOption({ label: life })
  await page.getByRole('button', { name: 'Make the key' }).click()
}

const made = async (page) => (await page.getByText(/^dw_[\w-]+_[\w-]{20,}$/).first().innerText()).trim()
const row = (page, name) => page.getByRole('row').filter({ hasText: name })

flow('Keys', prepare, {
  'a key for nothing is refused beside the choice': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await make(page, { name: 'empty', reach: 'Chosen presets' })
    await page.getByText('Tick at least one preset').waitFor()
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'empty')
    await look('nothing-ticked')
  },

  'a key reaches the presets it was made for and no other': async ({ page, look, world }) => {
    await make(page, { name: 'narrow', reach: 'Chosen presets', presets: ['first'] })
    const key = await made(page)
    await look('narrow')
    await world.call('first', key)
    await assert.rejects(world.call('second', key))
    await page.goto('/keys')
    assert.match(await row(page, 'narrow').innerText(), /first/)
  },

  'a key for everything reaches what comes later too': async ({ page, world }) => {
    await make(page, { name: 'wide', reach: 'Everything of yours', life: 'until it is revoked' })
    const key = await made(page)
    await world.call('first', key)
    await world.call('second', key)
    world.wide = key
  },

  'a key that has come to its end is refused, and the pages say so before and after': async ({ page, look, world }) => {
    await make(page, { name: 'brief', reach: 'Everything of yours', life: '30 days' })
    const key = await made(page)
    // Nobody waits thirty days: the key's end is moved, before the program has met the key.
    const path = join(world.folder, 'data/doorward.db')
    const ends = (at) => change(path, "update api_keys set expires_at = ? where name = 'brief'", at)
    ends(Date.now() + 3 * 24 * 3600 * 1000)
    await page.goto('/')
    await page.getByText('The API key brief ends in 2 days').waitFor()
    await look('ends-soon')

    ends(Date.now() - 1000)
    await assert.rejects(world.call('first', key))
    await page.goto('/keys')
    assert.match(await row(page, 'brief').innerText(), /expired/)
    assert.equal(await row(page, 'brief').locator('summary').count(), 0)
    await look('expired')
  },

  'revoking asks first, and holds with the next call': async ({ page, look, world }) => {
    await world.call('first', world.wide)
    await row(page, 'wide').locator('summary').filter({ hasText: 'Revoke' }).click()
    await row(page, 'wide').getByText('There is no way back').waitFor()
    await look('revoke')
    await row(page, 'wide').getByRole('button', { name: 'Revoke wide' }).click()
    await page.getByText('The key is revoked').waitFor()
    assert.match(await row(page, 'wide').innerText(), /revoked/)
    await assert.rejects(world.call('first', world.wide))
  },
})
