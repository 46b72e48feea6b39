// A source that wants a sign-in: another Doorward, whose own issuer lets people in. Found out about, signed in to,
// called with a token that nobody sees, and told of when it is taken back.

import assert from 'node:assert/strict'

import { FILES, OWNER, USERS, signIn } from '../lib/account.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { callTool } from '../lib/clients.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

async function prepare() {
  const source = await changingSource({
    tools: [tool('work', 'Works.'), tool('wipe', 'Wipes everything.')],
    call: ({ name }) => ({ content: [{ type: 'text', text: `${name} done` }] }),
  })
  const locked = await changingSource({ token: 'the-token', tools: [tool('peek', 'Peeks.')] })
  const lab = await startGateway({
    declared: `version: 1
${USERS}
sources:
  - { owner: ada, name: tools, kind: mcp_http, url: "${source.url}" }
presets:
  - { owner: ada, slug: helpful, visibility: private, tools: [{ source: tools, allow: all }] }
`,
    files: FILES,
  })
  const gateway = await startGateway({
    declared: `version: 1
${USERS}
keys:
  - { owner: ada, name: agent, secret_file: agent.key }
sources:
  - { owner: ada, name: locked, kind: mcp_http, url: "${locked.url}", auth: { bearer_file: locked.token } }
`,
    files: { ...FILES, 'locked.token': 'the-token\n' },
  })
  // Cookies do not tell ports apart, so the two have different names.
  const labUrl = lab.url.replace('127.0.0.1', 'localhost')
  return {
    ...gateway,
    key: await gateway.read('agent.key'),
    labUrl,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      assert.equal(await lab.stop(), 0, lab.server.output)
      await Promise.all([source.stop(), locked.stop()])
    },
  }
}

const letIn = async (page) => {
  await page.getByRole('button', { name: 'Let it in' }).click()
  await page.getByText('You are signed in to lab').waitFor()
}

const called = (world) => callTool({ address: `${world.url}/mcp/ada/lab`, key: world.key }, 'work')

flow('Connections', prepare, {
  'an address that wants a sign-in says so': async ({ page, look, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/sources/new')
    await page.getByLabel('Address of the MCP server').fill(`${world.labUrl}/mcp/ada/helpful`)
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.getByText('Asks you to sign in').first().waitFor()
    await look('asks')
    await page.getByLabel('Name', { exact: true }).fill('lab')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.getByText('lab is kept. Now sign in to it.').waitFor()
    await look('kept')
  },

  'nobody leaves without having read where to': async ({ page, look, world }) => {
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'Sign in to lab' }).waitFor()
    await look('leaving')
    await page.getByRole('link', { name: 'Continue to localhost' }).click()
    assert.ok(page.url().startsWith(world.labUrl), page.url())
    await page.getByLabel('Handle or e-mail').fill(OWNER.handle)
    await page.getByLabel('Password').fill(OWNER.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByLabel('wipe').uncheck()
    await letIn(page)
    await look('signed-in')
  },

  'its tools are called with the sign-in': async ({ page, look, world }) => {
    await page.goto('/presets/new?source=lab')
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.getByRole('link', { name: 'Playground' }).waitFor()
    assert.equal((await called(world)).content[0].text, 'work done')
    await page.goto('/connections')
    await page.getByRole('link', { name: 'lab', exact: true }).waitFor()
    // What somebody typed stands below what is signed in to.
    const stored = page.getByRole('table', { name: 'Stored credentials' })
    await stored.getByText('A bearer token').waitFor()
    await stored.getByText('Healthy').waitFor()
    await look('connections')
    await stored.getByRole('link', { name: 'Replace the credential of locked' }).click()
    await page.waitForURL(/\/sources\/[\w-]+\/edit$/)
  },

  'a sign-in taken back there is told of here, and mended': async ({ page, look, world }) => {
    await page.goto(`${world.labUrl}/grants`)
    const row = page.getByRole('row').filter({ hasText: 'Doorward' })
    await row.locator('summary').click()
    await row.getByRole('button', { name: /^Take back the access of/ }).click()
    await page.getByText('The access is taken back').waitFor()

    assert.match((await called(world)).content[0].text, /has to be signed in to again/)
    await page.goto('/')
    await page.getByText('The sign-in at lab does not work any more.').waitFor()
    await look('home')
    await page.goto('/connections')
    await page.getByRole('button', { name: 'Sign in again' }).click()
    await page.getByRole('link', { name: 'Continue to localhost' }).click()
    await letIn(page)
    assert.equal((await called(world)).content[0].text, 'work done')
  },
})
