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

  'its tools are chosen into a preset': async ({ page, look, javaScript }) => {
    await page.getByRole('link', { name: 'Choose tools' }).click()
    await page.getByLabel('Slug').fill('first')
    await page.getByLabel(/^Title/).fill('First preset')
    const finder = page.getByLabel('Find a tool')
    if (!javaScript) assert.equal(await finder.isVisible(), false)
    if (javaScript) {
      await finder.fill('sum')
      await page.getByText('count_slowly').first().waitFor({ state: 'hidden' })
      await finder.fill('')
    }
    const all = page.getByLabel('All, also later ones you accept').first()
    assert.ok(await all.isChecked(), 'the source one comes from is taken from')
    await page.getByLabel('Ticked tools').check()
    await page.getByLabel('read_note').uncheck()
    await look('preset-new')
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.waitForURL(/\/presets\/[\w-]{20,}/)
    await look('preset')
  },

  'a key is made for it and shown once': async ({ page, look, world }) => {
    await page.goto('/keys')
    await page.getByLabel('Name', { exact: true }).fill('laptop')
    await page.getByLabel('first', { exact: true }).check()
    await look('key-new')
    await page.getByRole('button', { name: 'Make the key' }).click()
    const shown = page.getByText(/^dw_[\w-]+_[\w-]{20,}$/)
    world.key = (await shown.first().innerText()).trim()
    await look('key-shown')
    await page.goto('/keys')
    assert.equal(await shown.count(), 0)
    await look('keys')
  },

  'each client has its lines, with the address': async ({ page, look, world, javaScript }) => {
    await page.goto('/presets')
    await look('presets')
    await page.getByRole('link', { name: 'First preset' }).first().click()
    await page.getByRole('link', { name: 'Connect', exact: true }).click()
    world.address = `${world.url}/mcp/ada/first`
    await page.getByText(world.address).first().waitFor()
    await look('connect')
    for (const client of ['Claude Desktop', 'Cursor', 'VS Code', 'ChatGPT', 'Gemini CLI', 'Codex', 'stdio']) {
      await page.getByRole('navigation', { name: 'Clients' }).getByRole('link', { name: client }).click()
      assert.ok((await page.locator('pre').last().innerText()).includes(world.address), client)
    }
    if (javaScript) {
      await page.getByRole('button', { name: 'Copy' }).first().click()
      await page.getByRole('button', { name: 'Copied' }).waitFor()
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), world.address)
    }
  },

  'the first call of a real client turns the waiting line green': async ({ page, look, world, javaScript }) => {
    await page.getByText(javaScript ? 'Waiting for the first call…' : 'No call yet').waitFor()
    const session = await CLIENTS['npm client 2.4, auto'].open({ url: world.address, key: world.key })
    const names = (await session.list()).map(({ name }) => name)
    assert.deepEqual(names.sort(), ['add_note', 'count_slowly', 'sum_up'])
    const sum = await session.call('sum_up', { numbers: [20, 22] })
    assert.equal(sum.structuredContent.sum, 42)
    await session.close()

    if (javaScript) await page.locator('.badge', { hasText: 'connected' }).waitFor()
    else
      await until('the call to be kept', async () => {
        await page.reload()
        return (await page.locator('.badge', { hasText: 'connected' }).count()) > 0
      })
    await look('connected')
  },

  'the playground calls a tool with a form made of its schema': async ({ page, look }) => {
    await page.getByRole('link', { name: 'Playground' }).click()
    await page.getByRole('navigation', { name: 'Tools' }).getByRole('link', { name: 'add_note' }).click()
    await page.getByLabel('title').fill('greeting')
    await page.getByLabel('text', { exact: true }).fill('hello there')
    await look('playground')
    await page.getByRole('button', { name: 'Call the tool' }).click()
    await page.getByText('kept greeting').first().waitFor()
    await look('playground-answer')
    await page.getByText('Show the raw answer').click()
    await page.getByText('"resultType"').first().waitFor()
  },

  'the call stands on the pages': async ({ page, look }) => {
    await until('the call to be kept', async () => {
      await page.goto('/audit?action=tool_call')
      return (await page.getByRole('row').filter({ hasText: 'sum_up' }).count()) === 1
    })
    await look('audit')
    await page.getByRole('row').filter({ hasText: 'sum_up' }).getByRole('link').first().click()
    await page.getByText('sum_up').first().waitFor()
    await look('audit-event')

    await until('the call to be counted', async () => {
      await page.goto('/metrics')
      return (await page.getByRole('row').filter({ hasText: 'sum_up' }).count()) > 0
    })
    await look('metrics')
    await page.goto('/')
    await page.getByText('sum_up').first().waitFor()
    await look('home')
  },

  'a revoked key is refused with the next call': async ({ page, look, world }) => {
    const session = await CLIENTS['npm sdk 1.32'].open({ url: world.address, key: world.key })
    await page.goto('/keys')
    await page.getByText('Revoke…').click()
    await page.getByRole('button', { name: 'Revoke laptop' }).click()
    await page.getByText('revoked').first().waitFor()
    await look('revoked')
    await assert.rejects(session.call('sum_up', { numbers: [1] }))
    await session.close()
  },
})
