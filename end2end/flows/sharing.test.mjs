// Two people in two browsers: one invites the other by e-mail, who makes an account, accepts and calls; taken off the
// list, the very next call is refused.

import assert from 'node:assert/strict'

import { FILES, USERS, signIn } from '../lib/account.mjs'
import { open } from '../lib/browser.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { callTool } from '../lib/clients.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { startMail } from '../lib/mail.mjs'

async function prepare() {
  const source = await changingSource({ tools: [tool('work', 'Works.')] })
  const mail = await startMail()
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: tools, kind: mcp_http, url: "${source.url}" }
presets:
  - { owner: ada, slug: shared, title: Shared tools, tools: [{ source: tools, allow: all }] }
`
  const env = { DOORWARD_MAIL_SERVER: `smtp+plain://127.0.0.1:${mail.port}`, DOORWARD_MAIL_FROM: 'Doorward <d@example.org>', DOORWARD_SIGN_UP: 'invited' }
  const gateway = await startGateway({ declared, files: FILES, env })
  return {
    ...gateway,
    mail,
    call: (key) => callTool({ address: `${gateway.url}/mcp/ada/shared`, key }, 'work'),
    async stop() {
      await this.grace?.close()
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await source.stop()
      await mail.stop()
    },
  }
}

flow('Sharing', prepare, {
  'an invitation goes to the address it is for, and nobody else sees its link': async ({ page, look, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/presets')
    await page.getByRole('link', { name: 'Shared tools' }).click()
    await page.getByRole('link', { name: 'Sharing' }).click()
    await page.getByLabel('Invite the e-mail address').fill('grace@example.org')
    await page.getByRole('button', { name: 'Invite', exact: true }).click()
    await page.getByText('on its way to grace@example.org').waitFor()
    await look('invited')
    assert.equal(await page.getByText('/invitation?token=').count(), 0)
    const letter = await world.mail.next()
    assert.match(letter, /^To: grace@example\.org$/m)
    world.link = letter.replaceAll('=\r\n', '').replaceAll('=3D', '=').match(/http\S+\/invitation\?token=[\w-]+/)[0]
  },

  'whoever is invited sees what is offered, makes an account and accepts': async ({ world, browser, javaScript }) => {
    world.grace = await open(browser, { javaScript, baseURL: world.url, name: 'sharing-grace' })
    const { page, look } = world.grace
    await page.goto(world.link)
    await page.getByRole('heading', { name: 'ada shares “Shared tools” with you' }).waitFor()
    await page.getByRole('cell', { name: 'work', exact: true }).waitFor()
    await look('offered')
    await page.getByLabel('Handle').fill('grace')
    await page.getByLabel('Password').fill('a third horse battery staple')
    await page.getByRole('button', { name: 'Make the account' }).click()
    await page.waitForURL(/\/presets\/[\w-]+\/connect/)
    await look('accepted')
    await page.goto('/presets?show=shared')
    await page.getByRole('link', { name: 'Shared tools' }).waitFor()
    await look('shared-with-her')
  },

  'she calls with a key of her own until she is taken off': async ({ page, look, world }) => {
    const hers = world.grace.page
    await hers.goto('/keys')
    await hers.getByLabel('Name', { exact: true }).fill('laptop')
    await hers.getByLabel('Everything of yours').check()
    await hers.getByRole('button', { name: 'Make the key' }).click()
    const key = (await hers.getByText(/^dw_[\w-]+_[\w-]{20,}$/).first().innerText()).trim()
    await world.call(key)

    await page.reload()
    const row = page.getByRole('row').filter({ hasText: 'grace' })
    await row.getByText('Take off…').click()
    await row.getByRole('button', { name: 'Take grace off' }).click()
    await page.getByText('their next call is refused').first().waitFor()
    await assert.rejects(world.call(key))
    await look('taken-off')
    world.grace.allow(404)
    await hers.goto('/presets?show=shared')
    await hers.getByText('Nothing is shared with you').waitFor()
    assert.equal((await hers.goto(world.link)).status(), 200)
    await hers.getByText('This invitation does not hold').waitFor()
  },
})
