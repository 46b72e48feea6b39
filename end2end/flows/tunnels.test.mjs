// A data source behind a bastion: the tunnel is made, its key admitted, its host key confirmed, and calls go through it.

import assert from 'node:assert/strict'

import { FILES, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { notesOverHttp } from '../lib/programs.mjs'
import { startSshd } from '../lib/sshd.mjs'

async function prepare() {
  const [notes, sshd] = await Promise.all([notesOverHttp(), startSshd()])
  const gateway = await startGateway({ declared: `version: 1\n${USERS}`, files: FILES })
  return {
    ...gateway,
    notes,
    sshd,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await sshd.stop()
      await stop(notes.server)
    },
  }
}

const test = (page) => page.getByRole('button', { name: 'Test now' }).click()

flow('Tunnels', prepare, {
  'a tunnel is made with a key of its own': async ({ page, look, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/sources')
    await page.getByRole('link', { name: 'Tunnels' }).click()
    await page.getByText('No tunnels yet').waitFor()
    await look('none')
    await page.getByRole('link', { name: 'Add a tunnel' }).first().click()
    await page.getByLabel('Name', { exact: true }).fill('bastion')
    await page.getByLabel('SSH servers').fill(world.sshd.address)
    await page.getByLabel('What it leads to').fill(new URL(world.notes.url).host)
    await page.getByRole('button', { name: 'Add and make a key' }).click()
    await page.getByRole('heading', { name: 'bastion', exact: true }).waitFor()
    world.tunnel = page.url()
    await page.getByText(/^ssh-ed25519 /).first().waitFor()
    await look('made')
  },

  'the host key is shown, confirmed, and the key that is not admitted is told': async ({ page, look, world }) => {
    await test(page)
    await page.getByRole('button', { name: 'Confirm this host key' }).waitFor()
    await look('host-key')
    await page.getByRole('button', { name: 'Confirm this host key' }).click()
    await page.getByText('Confirmed').first().waitFor()
    await test(page)
    await page.getByText(/Sign in at/).first().waitFor()
    await look('not-admitted')
    const line = await page.getByText(/^ssh-ed25519 /).first().innerText()
    await world.sshd.admit(line)
  },

  'every hop is told once it works': async ({ page, look }) => {
    await test(page)
    await page.getByText('Every step worked').waitFor()
    await look('works')
  },

  'a data source is found, added and tested through it': async ({ page, look, world }) => {
    await page.goto('/sources/new')
    await page.getByLabel('Address of the MCP server').fill(world.notes.url)
    await page.getByLabel('Reached').selectOption({ label: 'Through the tunnel bastion' })
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.getByText('Ready').waitFor()
    await look('found')
    await page.getByLabel('Name', { exact: true }).fill('notes')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    await page.getByText('Every step worked').waitFor()
    await look('source')
    await page.goto(world.tunnel)
    await page.getByRole('link', { name: 'notes', exact: true }).waitFor()
    await look('in-use')
  },

  'another host key stops it with both fingerprints': async ({ page, look, world }) => {
    await world.sshd.replaceHostKey()
    await test(page)
    const warning = page.getByText(/shows another host key than SHA256:/).first()
    await warning.waitFor()
    assert.match(await page.locator('body').innerText(), /SHA256:[\s\S]*SHA256:/)
    await look('changed')
  },

  'it is not deleted while it is used': async ({ page, look }) => {
    await page.getByRole('link', { name: 'Delete' }).click()
    await page.getByText(/cannot be deleted while data sources go through it/).waitFor()
    await look('in-use-delete')
  },
})
