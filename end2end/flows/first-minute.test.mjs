// The first minute: from the set-up link to the first call on the dashboard.

import assert from 'node:assert/strict'

import { CLIENTS } from '../peers/clients.mjs'
import { OWNER } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop, until } from '../lib/process.mjs'
import { notesOverHttp } from '../lib/programs.mjs'

async function prepare() {
  const notes = await notesOverHttp()
  const gateway = await startGateway()
  return {
    ...gateway,
    notes,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await stop(notes.server)
    },
  }
}

flow('First minute', prepare, {
  'the printed link opens the set-up page, once': async ({ page, look, world }) => {
    await page.goto('/')
    await page.waitForURL(/\/setup/)
    await look('no-owner-yet')
    await page.goto(await world.setupLink())
    await look('set-up')
  },

  'what is wrong is said beside its field and what was typed stays': async ({ page, look }) => {
    await page.getByLabel('Handle').fill(OWNER.handle)
    await page.getByLabel('E-mail').fill(OWNER.email)
    await page.getByLabel('Password').fill('short')
    await page.getByRole('button', { name: 'Create the owner account' }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('Handle').inputValue(), OWNER.handle)
    await look('set-up-refused')
  },

  'the owner account is created and signed in': async ({ page, look, world }) => {
    await page.getByLabel('Password').fill(OWNER.password)
    await page.getByRole('button', { name: 'Create the owner account' }).click()
    await page.waitForURL((url) => url.pathname === '/')
    await look('home-empty')

    const again = await page.request.get(await world.setupLink(), { maxRedirects: 0 })
    assert.notEqual(again.status(), 200, 'the set-up link works a second time')
  },

  'empty pages say what to do next': async ({ page, look }) => {
    for (const path of ['sources', 'presets', 'keys', 'metrics', 'audit', 'account', 'admin']) {
      await page.goto(`/${path}`)
      await look(`empty-${path}`)
    }
  },

  'an address is looked at before it is kept': async ({ page, look, world }) => {
    await page.goto('/sources')
    await page.getByRole('link', { name: /add/i }).first().click()
    await page.getByLabel('Address of the MCP server').fill(world.notes.url)
    await page.getByRole('button', { name: 'Look what is there' }).click()
    await page.getByText('sum_up').first().waitFor()
    await look('source-detected')
    await page.getByLabel('Name', { exact: true }).fill('notes')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[0-9a-f-]+/)
    await look('source')
  },

  'its tools are chosen into a preset': async ({ page, look }) => {
    await page.goto('/presets')
    await page.getByRole('link', { name: /new|create|add/i }).first().click()
    await look('preset-new')
    await page.getByLabel('Slug').fill('first')
    await page.getByRole('button', { name: /create/i }).click()
    await page.waitForURL(/\/presets\/[0-9a-f-]+/)
    await look('preset-editor')
  },
})
