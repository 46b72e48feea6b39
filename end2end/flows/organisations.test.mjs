// A team in two browsers: one person makes an organisation and acts in it, the other is invited, joins, does what the
// role lets them, gets another role, and is removed.

import assert from 'node:assert/strict'

import { BOB, FILES, USERS, signIn } from '../lib/account.mjs'
import { open } from '../lib/browser.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { callTool } from '../lib/clients.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

async function prepare() {
  const source = await changingSource({ tools: [tool('work', 'Works.')] })
  const declared = `version: 1
${USERS}
plans:
  - { name: tiny, calls_per_month: 5 }
organisations:
  - { handle: acme, title: Acme Ltd, members: [{ user: ada, role: admin }] }
sources:
  - { owner: acme, name: tools, kind: mcp_http, url: "${source.url}" }
presets:
  - { owner: acme, slug: shared, title: Shared tools, tools: [{ source: tools, allow: all }] }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    call: (key) => callTool({ address: `${gateway.url}/mcp/acme/shared`, key }, 'work'),
    async stop() {
      await this.bob?.close()
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await source.stop()
    },
  }
}

/** Acts in another organisation by the switcher of the wide frame. */
async function actIn(page, name) {
  await page.setViewportSize({ width: 1280, height: 900 })
  await page.getByRole('complementary').locator('summary').click()
  await page.getByRole('complementary').getByRole('button', { name: `Act in ${name}` }).click()
  await page.getByText(/^You act in /).waitFor()
}

flow('Organisations', prepare, {
  'a person makes an organisation, and acts in it from there on': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/organisations')
    await look('list')
    await page.getByLabel('Handle').fill('bob')
    await page.getByRole('button', { name: 'Make it' }).click()
    await page.getByText('The handle bob is taken.').waitFor()
    await page.getByLabel('Handle').fill('night-shift')
    await page.getByLabel('Name').fill('The night shift')
    await page.getByRole('button', { name: 'Make it' }).click()
    await page.getByRole('heading', { name: 'The night shift' }).waitFor()
    await look('made')
  },

  'the switcher leads to another one, whose data sources and presets are there': async ({ page, look }) => {
    await page.goto('/presets')
    assert.equal(await page.getByText('Shared tools').count(), 0)
    await actIn(page, 'Acme Ltd')
    await page.getByRole('link', { name: 'Shared tools' }).waitFor()
    await look('acting')
  },

  'somebody is invited by their handle, and joins': async ({ page, look, world, browser, javaScript }) => {
    await page.goto('/organisations/acme')
    await page.getByLabel('Handle or e-mail address').fill('bob')
    await page.getByRole('button', { name: 'Invite', exact: true }).click()
    await page.getByText('bob is invited').waitFor()
    await look('invited')

    world.bob = await open(browser, { javaScript, baseURL: world.url, name: 'organisations-bob' })
    const his = world.bob.page
    await signIn(his, BOB)
    await his.waitForURL((url) => url.pathname === '/')
    await his.goto('/organisations')
    await his.getByText('ada invites you as Viewer').waitFor()
    await world.bob.look('invited')
    await his.getByRole('button', { name: 'Accept the invitation to Acme Ltd' }).click()
    await his.getByText('You belong to acme now').waitFor()
    await world.bob.look('joined')
  },

  'a viewer sees what there is and is not offered what is for others': async ({ world }) => {
    const { page, look, allow } = world.bob
    await page.goto('/sources')
    await page.getByRole('link', { name: 'tools', exact: true }).click()
    await page.getByRole('heading', { name: 'tools', exact: true }).waitFor()
    for (const name of ['Test now', 'Switch off']) assert.equal(await page.getByRole('button', { name }).count(), 0)
    await look('source-as-viewer')
    await page.goto('/presets')
    assert.equal(await page.getByRole('link', { name: 'New preset' }).count(), 0)
    await page.getByRole('link', { name: 'Shared tools' }).click()
    assert.equal(await page.getByRole('link', { name: 'Playground' }).count(), 0)
    await look('preset-as-viewer')
    allow(403)
    assert.equal((await page.goto('/sources/new')).status(), 403)
    await page.getByText('This needs the role admin in the organisation.').waitFor()
    await look('not-for-viewers')
  },

  'another role holds on the next request, and a key of the team calls its preset': async ({ page, look, world }) => {
    await page.goto('/organisations/acme')
    const row = page.getByRole('row').filter({ hasText: 'bob' })
    await row.getByLabel('Role of bob', { exact: true }).selectOption('operator')
    await row.getByRole('button', { name: 'Save the role of bob' }).click()
    await page.getByText('bob: Operator from the next request on').waitFor()
    await look('operator')

    const his = world.bob.page
    await his.goto('/presets')
    await his.getByRole('link', { name: 'Shared tools' }).click()
    await his.getByRole('link', { name: 'Playground' }).click()
    await his.getByRole('heading', { name: 'Shared tools' }).waitFor()
    await his.goto('/keys')
    await his.getByLabel('Name', { exact: true }).fill('laptop')
    await his.getByLabel('Everything of yours').check()
    await his.getByRole('button', { name: 'Make the key' }).click()
    world.key = (await his.getByText(/^dw_[\w-]+_[\w-]{20,}$/).first().innerText()).trim()
    await world.call(world.key)
  },

  'a plan of its own bounds what everybody in it calls, and says beforehand that it ends': async (t) => {
    const { page, look, world } = t
    const said = () =>
      world.call(world.key).then(
        (answer) => JSON.stringify(answer),
        (error) => error.message,
      )
    await page.goto('/admin/organisations/acme')
    await page.getByLabel('Plan').selectOption('tiny')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('It has the plan tiny, from the next call on.').waitFor()
    await look('plan')
    // One was made in this month already.
    for (let call = 0; call < 3; call += 1) await world.call(world.key)
    await page.goto('/usage')
    const calls = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Calls of Acme Ltd' }) }).last()
    await calls.getByText('4 of 5 calls').waitFor()
    await calls.getByText('Four fifths or more are used.').waitFor()
    await look('usage')
    await world.call(world.key)
    assert.match(await said(), /The quota of 5 tool calls per month of the organisation .* is used up/)
    await page.goto('/usage')
    await calls.getByText('All of them are used').waitFor()
    const file = await page.request.get('/api/v1/usage/months.csv?of=organisation')
    assert.match(await file.text(), /,5\b/)

    await page.goto('/admin/organisations/acme')
    await page.getByLabel('Plan').selectOption('')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('It has no plan of its own').waitFor()
    await world.call(world.key)
  },

  'whoever is removed is refused from the next call on, and stays signed in as themselves': async ({ page, world }) => {
    await page.goto('/organisations/acme')
    const row = page.getByRole('row').filter({ hasText: 'bob' })
    await row.getByText('Remove…').click()
    await row.getByRole('button', { name: 'Remove bob' }).click()
    await page.getByText('bob is no member any more').waitFor()
    await assert.rejects(world.call(world.key))
    const { page: his, look } = world.bob
    await his.goto('/presets')
    await his.getByText('No presets yet').waitFor()
    assert.equal(await his.getByText('Acting in').count(), 0)
    await look('removed')
  },

  'an organisation is removed after its handle was typed': async ({ page, look }) => {
    await page.goto('/organisations/acme/remove')
    await look('remove')
    await page.getByLabel('Type “acme” to confirm').fill('acme')
    await page.getByRole('button', { name: 'Remove the organisation' }).click()
    await page.getByText('acme is removed').waitFor()
    assert.equal(await page.getByText('Acme Ltd').count(), 0)
  },

  'who manages the instance sees who belongs together, and sets members': async ({ page, look }) => {
    await page.goto('/admin/organisations')
    await page.getByRole('link', { name: 'The night shift' }).click()
    await page.getByLabel('Handle').fill('bob')
    await page.getByLabel('Operator').check()
    await page.getByRole('button', { name: 'Set' }).click()
    await page.getByText('bob is a member as operator').waitFor()
    await look('team')
  },
})
