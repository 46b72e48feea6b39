// Two people: one finds the other's preset in the gallery and forks it on a source of his own; then she hands it over.

import assert from 'node:assert/strict'

import { BOB, FILES, USERS, signIn } from '../lib/account.mjs'
import { open } from '../lib/browser.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

async function prepare() {
  const hers = await changingSource({ tools: [tool('search', 'Finds.'), tool('send', 'Sends.')] })
  const his = await changingSource({ tools: [tool('search', 'Finds, too.')] })
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: secret-name, kind: mcp_http, url: "${hers.url}" }
  - { owner: bob, name: own, kind: mcp_http, url: "${his.url}" }
presets:
  - { owner: ada, slug: letters, title: Letters, visibility: public, tools: [{ source: secret-name, allow: all }] }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    async stop() {
      await this.bob?.close()
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await Promise.all([hers.stop(), his.stop()])
    },
  }
}

flow('Forks', prepare, {
  'a preset is found in the gallery and forked on a source of ones own': async ({ world, browser, javaScript }) => {
    world.bob = await open(browser, { javaScript, baseURL: world.url, name: 'forks-bob' })
    const { page, look } = world.bob
    await signIn(page, BOB)
    await page.waitForURL((url) => url.pathname === '/')
    await page.getByRole('link', { name: 'Gallery' }).click()
    await page.getByLabel('Search').fill('nothing like it')
    await page.getByRole('button', { name: 'Search' }).click()
    await page.getByText('Nothing was found').waitFor()
    await look('nothing')
    await page.getByLabel('Search').fill('SEND letters')
    await page.getByRole('button', { name: 'Search' }).click()
    await page.getByRole('heading', { name: 'Letters' }).waitFor()
    await look('gallery')
    await page.getByRole('link', { name: 'Fork ada/letters' }).click()
    await page.getByRole('heading', { name: 'Fork “Letters”' }).waitFor()
    assert.equal(await page.getByLabel('Taken from').locator('option').first().innerText(), 'own: lacks send')
    assert.equal(await page.getByText('secret-name').count(), 0)
    await look('fork')
    await page.getByRole('button', { name: 'Make the fork' }).click()
    await page.getByText('The fork is made, for you alone. Without send.').waitFor()
    await look('forked')
  },

  'its owner offers it to somebody': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/presets')
    await page.getByRole('link', { name: 'Letters' }).click()
    await page.getByRole('link', { name: 'Settings', exact: true }).click()
    await page.getByLabel('Handle of the new owner').fill('nobody')
    await page.getByRole('button', { name: 'Offer it' }).click()
    await page.getByText('There is no account nobody').waitFor()
    await page.getByLabel('Handle of the new owner').fill('bob')
    await page.getByRole('button', { name: 'Offer it' }).click()
    await page.getByText('Offered to bob, until').waitFor()
    await look('offered')
  },

  'who takes it over has it, and she has it no more': async ({ page, world }) => {
    const his = world.bob.page
    await his.goto('/presets')
    await his.getByRole('link', { name: 'See the offer' }).click()
    await his.getByRole('heading', { name: 'ada hands “Letters” over to you' }).waitFor()
    await world.bob.look('offer')
    await his.getByLabel('Slug').fill('taken-over')
    await his.getByRole('button', { name: 'Take it over' }).click()
    await his.getByText('The preset is yours. Without send.').waitFor()
    await his.getByText(`${world.url}/mcp/bob/taken-over`).first().waitFor()
    await page.goto('/presets')
    await page.getByText('No presets yet').waitFor()
  },
})
