// Metrics: how far back, narrowed by what is clicked, with the numbers beside the charts.

import assert from 'node:assert/strict'

import { signIn } from '../lib/account.mjs'
import { tool } from '../lib/changing.mjs'
import { callTool } from '../lib/clients.mjs'
import { declaredGateway } from '../lib/declared.mjs'
import { flow } from '../lib/flow.mjs'
import { until } from '../lib/process.mjs'

async function prepare() {
  const call = ({ name }) => ({ isError: name === 'fail', content: [] })
  const source = { tools: [tool('work', 'Works.'), tool('fail', 'Fails.')], call }
  const world = await declaredGateway({ name: 'tools', slugs: ['first', 'second'], source })
  for (let count = 0; count < 3; count++) await callTool(world.to('first'), 'work')
  await callTool(world.to('second'), 'work')
  await callTool(world.to('second'), 'fail')
  return world
}

const figure = (page, term) => page.locator('.panel').filter({ has: page.getByText(term, { exact: true }) }).first()
const cells = async (page, table, name) => {
  const row = page.getByRole('table', { name: table }).getByRole('row').filter({ hasText: name })
  return (await row.locator('td').allInnerTexts()).map((text) => text.trim())
}

flow('Metrics', prepare, {
  'every window counts what lies in it': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await until('all calls to be counted', async () => {
      await page.goto('/metrics')
      return /\b5\b/.test(await figure(page, 'Calls').innerText())
    })
    for (const window of ['1 hour', '24 hours', '7 days', '30 days']) {
      await page.getByRole('navigation', { name: 'How far back' }).getByRole('link', { name: window }).click()
      await page.locator('a[aria-current=page]', { hasText: window }).waitFor()
      assert.match(await figure(page, 'Calls').innerText(), /\b5\b/, window)
      assert.match(await figure(page, 'Errors').innerText(), /\b1\b/, window)
      await look(window)
    }
  },

  'the tables tell presets, tools and sources apart': async ({ page }) => {
    await page.goto('/metrics')
    assert.deepEqual((await cells(page, 'By preset', 'first')).slice(0, 3), ['first', '3', '0'])
    assert.deepEqual((await cells(page, 'By preset', 'second')).slice(0, 3), ['second', '2', '1'])
    assert.deepEqual((await cells(page, 'By tool', 'work')).slice(0, 3), ['work', '4', '0'])
    assert.deepEqual((await cells(page, 'By tool', 'fail')).slice(0, 3), ['fail', '1', '1'])
    assert.deepEqual((await cells(page, 'By source', 'tools')).slice(0, 3), ['tools', '5', '1'])
    for (const cell of (await cells(page, 'By tool', 'work')).slice(4)) assert.match(cell, /(µs|ms|s)$/)
  },

  'the numbers of a chart unfold beside it': async ({ page, look }) => {
    await page.getByText('Show the numbers').first().click()
    const table = page.getByRole('table', { name: 'Calls and errors over time' })
    await table.waitFor()
    const counted = await table.locator('tbody td:nth-child(2)').allInnerTexts()
    assert.equal(counted.reduce((sum, text) => sum + Number(text), 0), 5)
    await look('numbers')
  },

  'a click narrows, and another widens again': async ({ page, look }) => {
    await page.getByRole('table', { name: 'By preset' }).getByRole('link', { name: 'second' }).click()
    await page.getByTitle('Show all again').waitFor()
    assert.match(await figure(page, 'Calls').innerText(), /\b2\b/)
    await page.getByRole('table', { name: 'By tool' }).getByRole('link', { name: 'fail' }).click()
    await page.getByText('Tool fail').waitFor()
    assert.match(await figure(page, 'Calls').innerText(), /\b1\b/)
    await look('narrowed')
    await page.getByText('Tool fail').click()
    await page.getByText('Preset second').click()
    await page.waitForURL((url) => !url.search.includes('preset='))
    assert.match(await figure(page, 'Calls').innerText(), /\b5\b/)
  },
})
