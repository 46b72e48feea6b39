// Administration: people and plans, and what a plan's end looks like to a client.

import assert from 'node:assert/strict'

import { CLIENTS } from '../peers/clients.mjs'
import { FILES, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { notesOverHttp } from '../lib/programs.mjs'

async function prepare() {
  const notes = await notesOverHttp()
  const declared = `version: 1
${USERS}
sources:
  - { owner: bob, name: notes, kind: mcp_http, url: "${notes.url}" }
presets:
  - { owner: bob, slug: notes, visibility: private, tools: [{ source: notes, allow: all }] }
keys:
  - { owner: bob, name: agent, secret_file: bob.key }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    key: await gateway.read('bob.key'),
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await stop(notes.server)
    },
  }
}

flow('Admin', prepare, {
  'a plan is made': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/admin/plans')
    await look('plans')
    await page.getByRole('link', { name: 'Add a plan' }).click()
    await page.getByLabel('Name', { exact: true }).fill('tiny')
    await page.getByLabel('Calls a month').fill('two')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.locator('[aria-invalid=true]').first().waitFor()
    await look('plan-refused')
    await page.getByLabel('Calls a month').fill('2')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByRole('cell', { name: 'tiny' }).first().waitFor()
  },

  'what is used is shown with what the month will come to': async ({ page, look }) => {
    await page.goto('/account')
    await page.getByRole('link', { name: 'All that you use' }).click()
    await page.getByRole('heading', { name: 'Usage', exact: true }).waitFor()
    await page.getByText(/^\d+ of [\d\s.,]+ calls$|^\d+ calls, no limit$/).waitFor()
    await page.getByText('Data sources', { exact: true }).first().waitFor()
    await look('usage')
    const downloading = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download as CSV' }).click()
    const file = await (await downloading).createReadStream()
    assert.match(String(Buffer.concat(await file.toArray())), /^month,calls,analyses\r\n/)
  },

  'a person is put on it': async ({ page, look }) => {
    await page.goto('/admin')
    await look('people')
    await page.getByRole('link', { name: 'bob' }).first().click()
    await page.getByLabel('Plan', { exact: true }).selectOption('tiny')
    await page.getByRole('button', { name: 'Save', exact: true }).first().click()
    await page.getByRole('status').first().waitFor()
    await look('person')
  },

  'when it is used up a call says so, with the limit and the reset': async ({ world }) => {
    const session = await CLIENTS['npm client 2.4, auto'].open({ url: `${world.url}/mcp/bob/notes`, key: world.key })
    const call = () => session.call('add_note', { title: 'a', text: 'b' })
    assert.ok(!(await call()).isError)
    assert.ok(!(await call()).isError)
    const refused = await call().then(
      (result) => (assert.equal(result.isError, true), result.content[0].text),
      (error) => error.message,
    )
    assert.match(refused, /2/)
    assert.match(refused, /\d{4}-\d{2}-\d{2}|reset|month/i)
    await session.close()
  },

  'a person is added and signs in': async ({ page, look }) => {
    await page.goto('/admin/users/new')
    await page.getByLabel('Handle').fill('eve')
    await page.getByLabel('E-mail').fill('eve@example.org')
    await page.getByLabel('First password').fill('the third horse battery staple')
    await look('person-new')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.waitForURL(/\/admin/)
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page, { handle: 'eve', password: 'the third horse battery staple' })
    await page.waitForURL((url) => url.pathname === '/')
    await look('home-of-a-member')
  },

  'who is there already is told apart by handle and by e-mail': async ({ page, look }) => {
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/admin/users/new')
    await page.getByLabel('Handle').fill('eve')
    await page.getByLabel('E-mail').fill('other@example.org')
    await page.getByLabel('First password').fill('the third horse battery staple')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('Handle').getAttribute('aria-invalid'), 'true')
    assert.equal(await page.getByLabel('E-mail').inputValue(), 'other@example.org')
    await look('handle-taken')
    await page.getByLabel('Handle').fill('mallory')
    await page.getByLabel('E-mail').fill('eve@example.org')
    await page.getByLabel('First password').fill('the third horse battery staple')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('E-mail').getAttribute('aria-invalid'), 'true')
  },

  'a new password and a role are given': async ({ page, look }) => {
    await page.goto('/admin')
    await page.getByRole('link', { name: 'eve' }).first().click()
    await page.getByLabel('Password', { exact: true }).fill('short')
    await page.getByRole('button', { name: 'Set the password' }).click()
    await page.locator('[aria-invalid=true]').waitFor()
    await look('password-refused')
    await page.getByLabel('Password', { exact: true }).fill('a fourth horse battery staple')
    await page.getByRole('button', { name: 'Set the password' }).click()
    await page.getByText('eve has a new password').waitFor()
    await page.getByLabel('Administrator').check()
    await page.getByRole('button', { name: 'Save', exact: true }).first().click()
    await page.getByText('eve is changed').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page, { handle: 'eve', password: 'a fourth horse battery staple' })
    await page.waitForURL((url) => url.pathname === '/')
    await page.getByRole('link', { name: 'Admin' }).first().waitFor()
  },

  'a plan is changed': async ({ page, look, world }) => {
    await page.goto('/admin/plans')
    await page.getByRole('link', { name: 'tiny' }).click()
    await look('plan')
    await page.getByLabel('Calls a month').fill('20')
    await page.getByRole('button', { name: 'Save', exact: true }).click()
    await page.getByText('The plan tiny is saved').waitFor()
    const session = await CLIENTS['npm client 2.4, auto'].open({ url: `${world.url}/mcp/bob/notes`, key: world.key })
    assert.ok(!(await session.call('add_note', { title: 'a', text: 'b' })).isError)
    await session.close()
  },

  'a person who is switched off is out at once': async ({ page, look, world }) => {
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/admin')
    await page.getByRole('link', { name: 'bob' }).first().click()
    await page.getByRole('button', { name: 'Switch off' }).click()
    await page.getByRole('button', { name: 'Switch on' }).waitFor()
    await look('switched-off')
    await assert.rejects(CLIENTS['npm sdk 1.32'].open({ url: `${world.url}/mcp/bob/notes`, key: world.key }))
  },
})
