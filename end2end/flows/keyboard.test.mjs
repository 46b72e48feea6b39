// The first journey by keyboard alone.

import assert from 'node:assert/strict'

import { OWNER } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { press, tabTo, type, walk } from '../lib/keyboard.mjs'
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

const link = (page, name) => page.getByRole('link', { name, exact: true })
const button = (page, name) => page.getByRole('button', { name })

flow('Keyboard', prepare, {
  'the owner account is made with Tab and Enter': async ({ page, world }) => {
    await page.goto(await world.setupLink())
    const begin = await page.evaluate(() => document.activeElement?.tagName)
    assert.equal(begin, 'INPUT', 'the keyboard begins in the first field')
    await page.keyboard.type(OWNER.handle)
    await type(page, page.getByLabel('E-mail'), OWNER.email)
    await type(page, page.getByLabel('Password'), OWNER.password)
    await page.keyboard.press('Enter')
    await page.waitForURL((url) => url.pathname === '/')
  },

  'the first stop of a page leads past the navigation': async ({ page }) => {
    await page.goto('/sources')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    assert.ok(await page.evaluate(() => document.activeElement.closest('main') !== null))
  },

  'a source is added': async ({ page, world }) => {
    await page.goto('/sources')
    await press(page, page.getByRole('link', { name: /add/i }))
    await page.waitForURL(/\/sources\/new/)
    await type(page, page.getByLabel('Address of the MCP server'), world.notes.url)
    await page.keyboard.press('Enter')
    await page.getByText('sum_up').first().waitFor()
    await walk(page)
    await type(page, page.getByLabel('Name', { exact: true }), 'notes')
    await press(page, button(page, 'Add and test'))
    await page.waitForURL(/\/sources\/[0-9a-f-]{20,}/)
  },

  'tools are chosen': async ({ page }) => {
    await press(page, link(page, 'Choose tools'))
    await type(page, page.getByLabel('Slug'), 'first')
    await tabTo(page, page.getByLabel('All, also later ones you accept'))
    const ticked = page.getByLabel('Ticked tools')
    for (let turn = 0; turn < 3 && !(await ticked.isChecked()); turn++) await page.keyboard.press('ArrowDown')
    assert.ok(await ticked.isChecked())
    await tabTo(page, page.getByLabel('read_note'))
    await page.keyboard.press('Space')
    assert.equal(await page.getByLabel('read_note').isChecked(), false)
    await press(page, button(page, 'Make the preset'))
    await page.waitForURL(/\/presets\/[\w-]{20,}/)
    await walk(page)
  },

  'the line for a client is copied': async ({ page, world, javaScript }) => {
    await press(page, link(page, 'Connect'))
    await page.waitForURL(/\/connect/)
    await page.getByText(`${world.url}/mcp/ada/first`).first().waitFor()
    if (javaScript) {
      await press(page, button(page, 'Copy'))
      await button(page, 'Copied').waitFor()
    }
    await walk(page)
  },

  'a tool is called, and its answer opened': async ({ page }) => {
    await press(page, link(page, 'Playground'))
    await press(page, page.getByRole('navigation', { name: 'Tools' }).getByRole('link', { name: 'add_note' }))
    await type(page, page.getByLabel('title'), 'greeting')
    await type(page, page.getByLabel('text', { exact: true }), 'hello there')
    await press(page, button(page, 'Call the tool'))
    await page.getByText('kept greeting').first().waitFor()
    await press(page, page.getByText('Show the raw answer'))
    await page.getByText('"resultType"').first().waitFor()
    await walk(page)
  },

  'the call is found in the audit log': async ({ page }) => {
    await until('the call to be kept', async () => {
      await page.goto('/audit')
      return (await page.getByRole('row').filter({ hasText: 'add_note' }).count()) > 0
    })
    await press(page, page.getByRole('row').filter({ hasText: 'add_note' }).getByRole('link'))
    await page.waitForURL(/\/audit\/[\w-]{20,}/)
    await page.getByText('add_note').first().waitFor()
  },

  'every page can be walked through': async ({ page }) => {
    for (const path of ['/', '/sources', '/presets', '/keys', '/metrics', '/audit', '/account', '/admin']) {
      await page.goto(path)
      await walk(page)
    }
  },
})
