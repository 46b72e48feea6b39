// The journey "Private Spark": a history server that only a bastion reaches becomes tools, and an application is
// explained by findings with their evidence.

import assert from 'node:assert/strict'

import { FILES, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { SKEWED, startSpark } from '../lib/spark.mjs'
import { startSshd } from '../lib/sshd.mjs'

async function prepare() {
  const [spark, sshd] = await Promise.all([startSpark(), startSshd()])
  const gateway = await startGateway({ declared: `version: 1\n${USERS}`, files: FILES })
  return {
    ...gateway,
    spark,
    sshd,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await sshd.stop()
      await spark.stop()
    },
  }
}

flow('Private Spark', prepare, {
  'the bastion is a tunnel whose host key is confirmed': async ({ page, world }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/tunnels/new')
    await page.getByLabel('Name', { exact: true }).fill('bastion')
    await page.getByLabel('SSH servers').fill(world.sshd.address)
    await page.getByLabel('What it leads to').fill(new URL(world.spark.url).host)
    await page.getByRole('button', { name: 'Add and make a key' }).click()
    await world.sshd.admit(await page.getByText(/^ssh-ed25519 /).first().innerText())
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByRole('button', { name: 'Confirm this host key' }).click()
    await page.getByRole('button', { name: 'Test now' }).click()
    await page.getByText('Every step worked').waitFor()
    world.tunnel = page.url()
  },

  'the history server is recognised behind it and added': async ({ page, look, world }) => {
    await page.goto('/sources/new')
    await page.getByLabel(/^Address of the MCP server/).fill(world.spark.url)
    await page.getByLabel('Reached').selectOption({ label: 'Through the tunnel bastion' })
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.getByText('Ready').waitFor()
    assert.equal(await page.getByLabel('What it is').inputValue(), 'spark_history')
    await look('found')
    await page.getByLabel('Name', { exact: true }).fill('spark')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.waitForURL(/\/sources\/[\w-]{20,}/)
    await page.getByText('Every step worked').waitFor()
    await page.getByText(/8 applications visible/).waitFor()
    await look('added')
  },

  'an application is explained': async ({ page, look, world }) => {
    await page.goto('/presets/new?source=spark')
    await page.getByRole('button', { name: 'Make the preset' }).click()
    await page.getByRole('link', { name: 'Playground' }).click()
    await page.getByRole('navigation', { name: 'Tools' }).getByRole('link', { name: 'analyze_application' }).click()
    await page.getByLabel('app_id', { exact: true }).fill(SKEWED)
    await page.getByRole('button', { name: 'Call the tool' }).click()
    await page.getByText(/one task has .* times the work of the median one/).first().waitFor()
    await look('analysis')
    await page.goto(world.tunnel)
    await page.getByText(/since/).first().waitFor()
    await look('session')
  },
})
