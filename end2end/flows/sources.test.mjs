// Data sources: found out about, kept, tested, edited, switched off, deleted; and who may start a process.

import assert from 'node:assert/strict'

import { BOB, FILES, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { freePort, stop } from '../lib/process.mjs'
import { STDIO, notesOverHttp } from '../lib/programs.mjs'

async function prepare() {
  const notes = await notesOverHttp()
  const gateway = await startGateway({ declared: `version: 1\n${USERS}`, files: FILES })
  const nowhere = `http://127.0.0.1:${await freePort()}/mcp`
  return {
    ...gateway,
    notes,
    nowhere,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await stop(notes.server)
    },
  }
}

const look_there = async (page, url) => {
  await page.goto('/sources/new')
  await page.getByLabel('Address of the MCP server').fill(url)
  await page.getByRole('button', { name: /^Look/ }).click()
}

flow('Sources', prepare, {
  'an address where nobody answers is told step by step': async ({ page, look, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await look_there(page, world.nowhere)
    await page.getByText('Not reached').waitFor()
    await look('not-reached')
  },

  'what is no address is refused beside its field': async ({ page, look }) => {
    await page.goto('/sources/new')
    const address = page.getByLabel('Address of the MCP server')
    await address.evaluate((field) => field.setAttribute('type', 'text'))
    await address.fill('not an address')
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await address.inputValue(), 'not an address')
    await look('no-address')
  },

  'a well-known one fills in the form and adds nothing': async ({ page, look }) => {
    await page.goto('/sources/new')
    await page.getByRole('link', { name: 'DeepWiki' }).click()
    await page.waitForURL((url) => url.searchParams.get('known') === 'deepwiki')
    assert.equal(await page.getByLabel('Address of the MCP server').inputValue(), 'https://mcp.deepwiki.com/mcp')
    await look('well-known')
    await page.getByRole('link', { name: 'As a process' }).click()
    await page.getByRole('link', { name: "Kubeflow's server for Spark" }).click()
    await page.waitForURL((url) => url.searchParams.get('known') === 'kubeflow-spark')
    assert.match(await page.getByLabel('Command').inputValue(), /^uvx --python 3.12 .* spark-mcp$/)
    assert.match(await page.getByLabel('Environment').inputValue(), /^SHS_MCP__TRANSPORT=stdio$/m)
    await page.goto('/sources')
    await page.getByText('No data sources yet').waitFor()
  },

  'what is there is shown before anything is kept': async ({ page, look, world }) => {
    await look_there(page, world.notes.url)
    await page.getByText('Ready').waitFor()
    await page.getByText('count_slowly').first().waitFor()
    await look('detected')
    await page.goto('/sources')
    await page.getByText('No data sources yet').waitFor()
  },

  'adding it tests it and reads its tools': async ({ page, look, world }) => {
    await look_there(page, world.notes.url)
    await page.getByLabel('Name', { exact: true }).fill('notes')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    await look('added')
    await page.getByRole('link', { name: /^Tools/ }).click()
    assert.equal(await page.getByRole('listitem').filter({ has: page.locator('details') }).count(), 4)
    await look('tools')
  },

  'a name is taken once': async ({ page, look, world }) => {
    await look_there(page, world.notes.url)
    await page.getByLabel('Name', { exact: true }).fill('notes')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    await look('name-taken')
  },

  'a process is added by its command line and shows what it writes': async ({ page, look }) => {
    await page.goto('/sources/new?kind=process')
    const quoted = STDIO.everything.map((word) => `'${word}'`).join(' ')
    await page.getByLabel('Command').fill(quoted)
    await page.getByLabel('Name', { exact: true }).fill('everything')
    await look('process')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    await look('process-added')
    const source = page.url()
    await page.getByRole('link', { name: 'Process', exact: true }).click()
    await page.getByText('A test runs a process of its own').waitFor()

    await page.goto('/presets/new?source=everything')
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.getByRole('link', { name: 'Playground' }).click()
    await page.getByRole('navigation', { name: 'Tools' }).getByRole('link', { name: 'echo' }).click()
    await page.getByLabel('message', { exact: true }).fill('hello')
    await page.getByRole('button', { name: 'Call the tool' }).click()
    await page.getByText('Echo: hello').first().waitFor()
    await page.goto(`${source}/process`)
    await page.getByText(/Running as process \d+/).waitFor()
    await look('process-running')
  },

  'testing again tells each step': async ({ page, look }) => {
    await page.goto('/sources')
    await page.getByRole('link', { name: 'notes', exact: true }).click()
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('Every step worked').waitFor()
    await look('tested')
  },

  'it is renamed, switched off and deleted by its name': async ({ page, look }) => {
    await page.getByRole('link', { name: 'Edit' }).click()
    await look('edit')
    await page.getByLabel('Name', { exact: true }).fill('notebook')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('heading', { name: 'notebook' }).waitFor()

    await page.getByRole('button', { name: 'Switch off' }).click()
    await page.getByRole('button', { name: 'Switch on' }).waitFor()
    await look('off')

    await page.getByRole('link', { name: 'Delete' }).click()
    await look('delete')
    await page.getByLabel(/^Type .notebook. to confirm/).fill('notes')
    await page.getByRole('button', { name: 'Delete this data source' }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    await page.getByLabel(/^Type .notebook. to confirm/).fill('notebook')
    await page.getByRole('button', { name: 'Delete this data source' }).click()
    await page.waitForURL(/\/sources$/)
    assert.equal(await page.getByRole('link', { name: 'notebook', exact: true }).count(), 0)
    await look('list')
  },

  'members who are no administrators cannot add a process': async ({ page, allow }) => {
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page, BOB)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/sources/new')
    assert.equal(await page.getByRole('link', { name: 'As a process' }).count(), 0)
    allow(403)
    assert.equal((await page.goto('/sources/new?kind=process')).status(), 403)
  },
})
