// Pages that cannot be shown: what is not there, what is not for everybody, and what failed.

import assert from 'node:assert/strict'
import { join } from 'node:path'

import { BOB, FILES, USERS, signIn } from '../lib/account.mjs'
import { change } from '../lib/database.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

async function prepare() {
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: hers, kind: mcp_http, url: "http://127.0.0.1:9/mcp" }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    database: join(gateway.folder, 'data/doorward.db'),
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
    },
  }
}

flow('Trouble', prepare, {
  'a stranger learns of an address only that it leads nowhere': async ({ page, look, allow }) => {
    allow(404)
    assert.equal((await page.goto('/no/such/page')).status(), 404)
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor()
    await look('404-stranger')
  },

  'an address that leads nowhere says so, inside the frame': async ({ page, look, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/sources')
    await page.getByRole('link', { name: 'hers', exact: true }).click()
    world.hers = new URL(page.url()).pathname
    assert.equal((await page.goto('/sources/01a1fd7e-0000-7000-8000-000000000000')).status(), 404)
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor()
    await look('404')
    await page.getByRole('link', { name: 'Home' }).last().click()
    await page.waitForURL((url) => url.pathname === '/')
  },

  'what is not for members says who may': async ({ page, look, allow, world }) => {
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page, BOB)
    await page.waitForURL((url) => url.pathname === '/')
    allow(403)
    assert.equal((await page.goto('/admin')).status(), 403)
    await page.getByText('HTTP status 403').waitFor()
    await look('403')
    // What belongs to somebody else is not even there.
    assert.equal((await page.goto(world.hers)).status(), 404)
  },

  'what fails says so, keeps the frame, and works again afterwards': async ({ page, look, allow, world }) => {
    const rename = (from, to) => change(world.database, `alter table ${from} rename to ${to}`)
    allow(500)
    rename('presets', 'presets_away')
    try {
      assert.equal((await page.goto('/presets')).status(), 500)
      await page.getByRole('heading', { name: 'Something failed inside Doorward' }).waitFor()
      await look('500')
    } finally {
      rename('presets_away', 'presets')
    }
    await page.getByRole('link', { name: 'Try again' }).click()
    await page.getByRole('heading', { name: 'Presets', exact: true }).waitFor()
  },

  'the keyboard reaches the content past the navigation': async ({ page }) => {
    await page.goto('/presets')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    assert.ok(await page.evaluate(() => document.activeElement.closest('main') !== null))
  },
})
