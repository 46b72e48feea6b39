// Data sources: found out about, kept, tested, edited, switched off, deleted; and who may start a process.

import assert from 'node:assert/strict'

import { BOB, FILES, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { freePort, stop } from '../lib/process.mjs'
import { startSecured } from '../lib/secured.mjs'
import { STDIO, notesOverHttp } from '../lib/programs.mjs'

async function prepare() {
  const notes = await notesOverHttp()
  const gateway = await startGateway({ declared: `version: 1\n${USERS}`, files: FILES })
  const secured = await startSecured(notes.url)
  const nowhere = `http://127.0.0.1:${await freePort()}/mcp`
  return {
    ...gateway,
    notes,
    nowhere,
    secured,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      secured.stop()
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

  'a certificate of its own is asked for, and trusted for this source alone': async ({ page, look, world }) => {
    await look_there(page, world.secured.url)
    await page.getByText('Not reached').waitFor()
    await page.getByText(/its certificate signs itself/).first().waitFor()
    const certificate = page.getByLabel(/^Certificates of its authority/)
    if (!(await certificate.isVisible())) await page.getByText('Its certificate is of your own authority').click()
    await certificate.fill(world.secured.key)
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    await page.getByText('holds a private key').waitFor()
    assert.equal(await certificate.inputValue(), '', 'a key that was pasted is shown again')
    await certificate.fill(world.secured.certificate)
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.getByText('Ready').waitFor()
    await look('certificate')
    await page.getByLabel('Name', { exact: true }).fill('secured')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    await page.getByText('Trusts beside the usual').waitFor()
    await page.getByText(/CN=notes.example.org, ends in/).waitFor()
    await look('certificate-kept')
    await page.getByRole('link', { name: 'Edit' }).click()
    assert.match(await page.getByLabel(/^Certificates of its authority/).inputValue(), /^-----BEGIN CERTIFICATE-----/)
    await page.goBack()
    await page.getByRole('link', { name: 'Delete' }).click()
    await page.getByLabel(/^Type .secured. to confirm/).fill('secured')
    await page.getByRole('button', { name: 'Delete this data source' }).click()
    await page.waitForURL(/\/sources$/)
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
    await page.getByRole('button', { name: 'Save', exact: true }).click()
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
