// Presets: names that collide, two editors at once, who may use it, switching off, deleting.

import assert from 'node:assert/strict'

import { CLIENTS } from '../peers/clients.mjs'
import { FILES, USERS, signIn } from '../lib/account.mjs'
import { open } from '../lib/browser.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { notesOverHttp } from '../lib/programs.mjs'

async function prepare() {
  const notes = await notesOverHttp()
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: home-notes, kind: mcp_http, url: "${notes.url}" }
  - { owner: ada, name: work-notes, kind: mcp_http, url: "${notes.url}" }
keys:
  - { owner: ada, name: agent, secret_file: agent.key }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    key: await gateway.read('agent.key'),
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await stop(notes.server)
    },
  }
}

const details = (block, tool) =>
  block.getByRole('listitem').filter({ hasText: tool }).getByText('Rename, describe, check')

const block = (page, source) => page.locator('section.panel').filter({ has: page.getByRole('heading', { name: source }) })

async function names(world, slug = 'notes') {
  const session = await CLIENTS['npm client 2.4, auto'].open({ url: `${world.url}/mcp/ada/${slug}`, key: world.key })
  const tools = await session.list()
  await session.close()
  return tools.map(({ name }) => name).sort()
}

flow('Presets', prepare, {
  'all tools of a source make a preset': async ({ page, look, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/presets/new')
    await page.getByLabel('Slug').fill('notes')
    await block(page, 'home-notes').getByLabel('All, also later').check()
    await look('new')
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.waitForURL(/\/presets\/[\w-]{20,}/)
    await look('made')
    world.preset = page.url().match(/.*\/presets\/[\w-]+/)[0]
    assert.deepEqual(await names(world), ['add_note', 'count_slowly', 'read_note', 'sum_up'])
  },

  'a slug is taken once': async ({ page, look }) => {
    await page.goto('/presets/new')
    await page.getByLabel('Slug').fill('notes')
    await block(page, 'home-notes').getByLabel('Ticked tools').check()
    await block(page, 'home-notes').getByLabel('sum_up').uncheck()
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.locator('[aria-invalid=true]').first().waitFor()
    await look('slug-taken')
    assert.equal(await block(page, 'home-notes').getByLabel('Ticked tools').isChecked(), true)
    assert.equal(await block(page, 'home-notes').getByLabel('sum_up').isChecked(), false)
    assert.equal(await block(page, 'home-notes').getByLabel('read_note').isChecked(), true)
  },

  'names that collide are shown and resolved by another name': async ({ page, look, world }) => {
    await page.goto(world.preset)
    await look('tools')
    const work = block(page, 'work-notes')
    await work.getByLabel('Ticked tools').check()
    await work.getByLabel('count_slowly').uncheck()
    await details(work, 'sum_up').click()
    await work.getByLabel('Name callers see').nth(3).fill('total')
    await page.getByRole('button', { name: 'Save the choice' }).click()
    await page.getByRole('alert').first().waitFor()
    await page.getByText('Two tools want one name').waitFor()
    assert.ok((await page.locator('.notice code', { hasText: 'add_note' }).count()) > 0)
    await look('collision')

    // What was ticked and typed stands there as it was, so that nothing is done twice.
    assert.equal(await work.getByLabel('Ticked tools').isChecked(), true)
    assert.equal(await work.getByLabel('add_note').isChecked(), true)
    assert.equal(await work.getByLabel('count_slowly').isChecked(), false)
    assert.equal(await work.getByLabel('Name callers see').nth(3).inputValue(), 'total')
    await page.getByRole('button', { name: 'Save, renaming what collides' }).click()
    await page.waitForLoadState()
    await look('renamed')
    const published = await names(world)
    assert.equal(published.length, 7)
    assert.equal(new Set(published.map((name) => name.toLowerCase())).size, 7)
    assert.ok(published.includes('total'))
  },

  'of two editors the second is told': async ({ page, look, browser, javaScript, world }) => {
    const other = await open(browser, { javaScript, baseURL: world.url, name: 'other' })
    await signIn(other.page)
    await other.page.waitForURL((url) => url.pathname === '/')
    await other.page.goto(world.preset)
    await page.goto(world.preset)
    await block(other.page, 'work-notes').getByLabel('Nothing').check()
    await other.page.getByRole('button', { name: 'Save the choice' }).click()
    await other.page.getByRole('status').first().waitFor()
    await other.close()

    await block(page, 'home-notes').getByLabel('Nothing').check()
    await page.getByRole('button', { name: 'Save the choice' }).click()
    await page.getByRole('alert').first().waitFor()
    await look('second-editor')
    assert.equal((await names(world)).length, 4)
    assert.equal(await block(page, 'home-notes').getByLabel('Nothing').isChecked(), true)
    await page.getByRole('link', { name: 'Show what is saved instead' }).click()
    await page.getByRole('alert').first().waitFor({ state: 'detached' })
    assert.equal(await block(page, 'home-notes').getByLabel('Nothing').isChecked(), false)
  },

  'switched off it answers nobody': async ({ page, look, world }) => {
    await page.getByRole('link', { name: 'Settings' }).click()
    await look('settings')
    await page.getByRole('button', { name: 'Switch off' }).click()
    await page.getByRole('button', { name: 'Switch on' }).waitFor()
    await assert.rejects(names(world))
    await page.getByRole('button', { name: 'Switch on' }).click()
    await page.getByRole('button', { name: 'Switch off' }).waitFor()
    assert.equal((await names(world)).length, 4)
  },

  'anybody may use it without a key once that was chosen': async ({ page, look, world }) => {
    await assert.rejects(names({ ...world, key: undefined }))
    await page.getByLabel('Anybody, without a key').check()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('status').first().waitFor()
    await look('anonymous')
    assert.equal((await names({ ...world, key: undefined })).length, 4)
  },

  'what it was is compared and gone back to': async ({ page, look, world }) => {
    await page.getByRole('link', { name: 'History' }).click()
    await page.getByRole('link', { name: 'Show what changed with version 3' }).click()
    await page.getByRole('heading', { name: 'From version 2 to 3' }).waitFor()
    await page.getByRole('cell', { name: 'Data source removed' }).waitFor()
    await look('history')
    const second = page.getByRole('row').filter({ has: page.getByRole('cell', { name: '2', exact: true }) })
    await second.locator('summary').click()
    await page.getByRole('button', { name: 'Go back to version 2' }).click()
    await page.getByText('Back to version 2, as version 7.').waitFor()
    await page.getByRole('cell', { name: 'back to version 2: 1 source added' }).waitFor()
    await look('gone-back')
    assert.equal((await names({ ...world, key: undefined })).length, 7, 'and whoever may use it still may')
    await page.getByRole('link', { name: 'Settings' }).click()
  },

  'it is deleted by its name': async ({ page, look, world }) => {
    await page.getByLabel(/^Type .notes. to confirm/).fill('notes')
    await page.getByRole('button', { name: 'Delete the preset' }).click()
    await page.waitForURL(/\/presets$/)
    await look('list')
    await assert.rejects(names(world))
  },
})
