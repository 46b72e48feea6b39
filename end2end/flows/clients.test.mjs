// Clients that are given nothing but an address: they find the issuer, register, a person agrees in the browser, and
// they have what was agreed to until it is taken back.

import assert from 'node:assert/strict'

import { FILES, OWNER, USERS } from '../lib/account.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { callback, signInPython, signInTypeScript } from '../lib/oauth.mjs'

async function prepare() {
  const source = await changingSource({
    tools: [tool('work', 'Works.'), tool('wipe', 'Wipes everything.')],
    call: ({ name }) => ({ content: [{ type: 'text', text: `${name} done` }] }),
  })
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: tools, kind: mcp_http, url: "${source.url}" }
presets:
  - { owner: ada, slug: helpful, visibility: private, tools: [{ source: tools, allow: all }] }
`
  const gateway = await startGateway({ declared, files: FILES })
  const back = await callback()
  return {
    ...gateway,
    back,
    address: `${gateway.url}/mcp/ada/helpful`,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await Promise.all([source.stop(), back.stop()])
    },
  }
}

const letIn = (page) => page.getByRole('button', { name: 'Let it in' }).click()

flow('Clients', prepare, {
  'the TypeScript client signs in, and has the tools that stayed ticked': async ({ page, look, world }) => {
    const browse = async (url) => {
      await page.goto(url)
      await page.getByLabel('Handle or e-mail').fill(OWNER.handle)
      await page.getByLabel('Password').fill(OWNER.password)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('heading', { name: 'Let The TypeScript client use helpful?' }).waitFor()
      await page.getByText('a program on this computer (127.0.0.1)').waitFor()
      await page.getByLabel('wipe').uncheck()
      await look('consent')
      await letIn(page)
      await page.getByText('You can close this page').waitFor()
    }
    world.client = await signInTypeScript({ address: world.address, back: world.back, browse })
    assert.deepEqual(await world.client.list(), ['work'])
    assert.equal((await world.client.call('work')).content[0].text, 'work done')
    await assert.rejects(world.client.call('wipe'), /no tool/)
  },

  'the PyPI client is asked about by itself': async ({ page, world }) => {
    const browse = async (url) => {
      await page.goto(url)
      await page.getByRole('heading', { name: 'Let The Python client use helpful?' }).waitFor()
      assert.ok(await page.getByLabel('wipe').isChecked())
      await letIn(page)
      await page.getByText('You can close this page').waitFor()
    }
    const heard = await signInPython({ address: world.address, back: world.back, browse, tool: 'wipe' })
    assert.deepEqual(heard, { tools: ['wipe', 'work'], heard: 'wipe done' })
  },

  'what was let in is listed, and taken back with the next call': async ({ page, look, world }) => {
    await page.goto('/grants')
    const row = page.getByRole('row').filter({ hasText: 'The TypeScript client' })
    assert.match(await row.innerText(), /\/mcp\/ada\/helpful/)
    await row.locator('summary').click()
    await look('grants')
    await row.getByRole('button', { name: 'Take back the access of The TypeScript client' }).click()
    await page.getByText('The access is taken back').waitFor()
    assert.equal(await page.getByText('The TypeScript client').count(), 0)
    await assert.rejects(world.client.call('work'))
    await world.client.close()
  },
})
