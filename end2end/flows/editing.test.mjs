// Adding and editing sources over time: drafts, credentials, addresses, switching off and on.

import assert from 'node:assert/strict'

import { FILES, USERS, signIn } from '../lib/account.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { callTool } from '../lib/clients.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { STDIO } from '../lib/programs.mjs'

const SECRET = 'a-token-nobody-may-see'

async function prepare() {
  const tools = [tool('work', 'Works.')]
  const source = await changingSource({ tools, token: SECRET })
  const elsewhere = await changingSource({ tools })
  const gateway = await startGateway({ declared: `version: 1\n${USERS}`, files: FILES })
  return {
    ...gateway,
    source,
    elsewhere,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await source.stop()
      await elsewhere.stop()
    },
  }
}

/** Neither a cookie nor the address may hold what was typed. */
async function keepsSecrets(page, ...secrets) {
  const cookies = (await page.context().cookies()).map(({ value }) => {
    return `${value} ${Buffer.from(value, 'base64url')}`
  })
  for (const secret of secrets) {
    for (const text of [page.url(), ...cookies]) assert.ok(!text.includes(secret), `${text} holds ${secret}`)
  }
}

flow('Editing', prepare, {
  'what is begun is there again after it was left': async ({ page, look, world, javaScript }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/sources/new')
    await page.getByLabel('Address of the MCP server').fill(world.source.url)
    await page.getByRole('button', { name: 'Look what is there' }).click()
    await page.getByText('Asks for a credential').waitFor()
    await look('asks')
    if (javaScript) {
      const kept = page.waitForRequest((request) => request.url().endsWith('/do/sources/draft'))
      await page.getByLabel('Name', { exact: true }).fill('kept-name')
      await page.getByLabel('Another header').check()
      await page.getByLabel('Header', { exact: true }).fill('X-Own')
      await page.getByLabel('Value').fill(SECRET)
      await page.getByLabel('Name', { exact: true }).focus()
      assert.ok(!(await kept).postData().includes(SECRET))
    }
    await page.goto('/sources')
    await page.getByText('You began to add a data source').waitFor()
    await look('begun')
    await page.getByRole('link', { name: 'Go on' }).click()
    await page.getByText('You began this').waitFor()
    await look('go-on')
    assert.equal(await page.getByLabel('Address of the MCP server').inputValue(), world.source.url)
    await page.getByRole('button', { name: 'Look what is there' }).click()
    await page.getByText('Asks for a credential').waitFor()
    if (javaScript) {
      assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'kept-name')
      assert.equal(await page.getByLabel('Another header').isChecked(), true)
      assert.equal(await page.getByLabel('Header', { exact: true }).inputValue(), 'X-Own')
      assert.equal(await page.getByLabel('Value').inputValue(), '')
    }
  },

  'a step that fails keeps everything but the credential': async ({ page, look, world }) => {
    await page.getByLabel('Name', { exact: true }).fill('guarded')
    await page.getByLabel('User and password').check()
    await page.getByLabel('User', { exact: true }).fill('a:colon')
    await page.getByLabel('Password', { exact: true }).fill(SECRET)
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    await keepsSecrets(page, SECRET, 'a:colon', world.source.url)
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'guarded')
    assert.equal(await page.getByLabel('User and password').isChecked(), true)
    assert.equal(await page.getByLabel('User', { exact: true }).inputValue(), 'a:colon')
    assert.equal(await page.getByLabel('Password', { exact: true }).inputValue(), '')
    await look('refused')
  },

  'started over, nothing is left of it': async ({ page }) => {
    await page.goto('/sources/new')
    await page.getByRole('button', { name: 'Start over' }).click()
    await page.getByText('You began this').waitFor({ state: 'detached' })
    assert.equal(await page.getByLabel('Address of the MCP server').inputValue(), '')
    await page.goto('/sources')
    assert.equal(await page.getByText('You began to add').count(), 0)
  },

  'with a wrong credential it is kept and says what it wants': async ({ page, look, world }) => {
    await page.goto('/sources/new')
    await page.getByLabel('Address of the MCP server').fill(world.source.url)
    await page.getByRole('button', { name: 'Look what is there' }).click()
    await page.getByLabel('Name', { exact: true }).fill('guarded')
    await page.getByRole('radio', { name: 'Bearer token Sent as' }).check()
    await page.getByLabel('Token', { exact: true }).fill('not-the-token')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    world.page = page.url()
    await page.getByText('Failing').first().waitFor()
    await look('wrong-credential')
    // The draft became the source.
    await page.goto('/sources')
    assert.equal(await page.getByText('You began to add').count(), 0)
  },

  'the credential is replaced without showing the old one': async ({ page, look, world }) => {
    await page.goto(`${world.page}/edit`)
    assert.equal(await page.getByLabel('As it is').isChecked(), true)
    await page.getByRole('radio', { name: 'Bearer token Sent as' }).check()
    await page.getByLabel('Token', { exact: true }).fill(SECRET)
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('guarded is changed').waitFor()
    await keepsSecrets(page, SECRET)
    assert.ok(!(await page.content()).includes(SECRET))
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('Every step worked').waitFor()
    await page.getByText('Healthy').first().waitFor()
    await look('right-credential')
  },

  'kept as it is, the credential goes on working': async ({ page }) => {
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByLabel('Name', { exact: true }).fill('renamed')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('heading', { name: 'renamed' }).waitFor()
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('Every step worked').waitFor()
  },

  'a mistake in an edit keeps what was typed': async ({ page, look }) => {
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByLabel('Name', { exact: true }).fill('Not A Name!')
    await page.getByLabel('Protocol').selectOption('legacy')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Not A Name!')
    assert.equal(await page.getByLabel('Protocol').inputValue(), 'legacy')
    await look('edit-refused')
  },

  'switched off, its tools say so; switched on, they work': async ({ page, look, world }) => {
    await page.goto('/presets/new?source=renamed')
    await page.getByLabel('Slug').fill('guarded')
    await page.getByLabel('Anybody, without a key').check()
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.waitForURL(/\/presets\/[\w-]{20,}/)
    const to = { address: `${world.url}/mcp/ada/guarded` }
    assert.ok(!(await callTool(to, 'work')).isError)

    await page.goto(world.page)
    await page.getByRole('button', { name: 'Switch off' }).click()
    await page.getByText('renamed is switched off').waitFor()
    await look('off')
    const refused = await callTool(to, 'work').then((result) => JSON.stringify(result), (error) => error.message)
    assert.match(refused, /switched off|disabled/i)
    await page.getByRole('button', { name: 'Switch on' }).click()
    await page.getByText('renamed is switched on').waitFor()
    assert.ok(!(await callTool(to, 'work')).isError)
  },

  'another address means another credential': async ({ page, look, world }) => {
    await page.goto(`${world.page}/edit`)
    await page.getByLabel('Address').fill(world.elsewhere.url)
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.locator('[aria-invalid=true], [role=alert]').first().waitFor()
    await look('credential-stays-behind')
    await page.getByLabel('None').check()
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('renamed is changed').waitFor()
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('Every step worked').waitFor()
  },

  'a process says why it is not running after a test': async ({ page, look }) => {
    await page.goto('/sources/new?kind=process')
    await page.getByLabel('Command').fill('/no/such/program --now')
    await page.getByLabel('Name', { exact: true }).fill('renamed')
    await page.getByLabel('Environment').fill(`TOKEN=${SECRET}`)
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    await keepsSecrets(page, SECRET, '/no/such/program')
    assert.equal(await page.getByLabel('Command').inputValue(), '/no/such/program --now')
    assert.equal(await page.getByLabel('Environment').inputValue(), 'TOKEN')
    await look('process-refused')

    await page.getByLabel('Command').fill(STDIO.everything.map((word) => `'${word}'`).join(' '))
    await page.getByLabel('Name', { exact: true }).fill('process')
    await page.getByLabel('Environment').fill(`TOKEN=${SECRET}`)
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('Every step worked').waitFor()
    await page.getByRole('link', { name: 'Process', exact: true }).click()
    await page.getByText('A test runs a process of its own').waitFor()
    await look('process')
    assert.ok(!(await page.content()).includes(SECRET))
  },
})
