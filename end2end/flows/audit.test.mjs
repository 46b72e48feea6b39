// The audit log: filters, paging, details, and the live tail on it and on the home page.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'

import { signIn } from '../lib/account.mjs'
import { tool } from '../lib/changing.mjs'
import { callTool, withSession } from '../lib/clients.mjs'
import { declaredGateway } from '../lib/declared.mjs'
import { flow } from '../lib/flow.mjs'
import { until } from '../lib/process.mjs'

const CALLS = 60

async function prepare() {
  const call = ({ name }) =>
    name === 'fail' ? { isError: true, content: [{ type: 'text', text: 'no' }] } : { content: [] }
  const source = { tools: [tool('work', 'Works.'), tool('fail', 'Fails.')], call }
  const world = await declaredGateway({ name: 'tools', slugs: ['first', 'second'], source })
  await withSession(world.to('first'), async (session) => {
    for (let count = 0; count < CALLS; count++) await session.call('work', {})
  })
  await callTool(world.to('second'), 'fail')
  return world
}

const rows = (page) => page.getByRole('table', { name: 'Events' }).locator('tbody tr')

async function narrow(page, fields) {
  await page.goto('/audit')
  for (const [label, value] of Object.entries(fields)) {
    const field = page.getByLabel(label, { exact: true })
    if ((await field.evaluate((element) => element.tagName)) === 'SELECT') await field.selectOption(value)
    else await field.fill(value)
  }
  await page.getByRole('button', { name: 'Show' }).click()
  await page.waitForURL(/\/audit\?/)
}

flow('Audit', prepare, {
  'the newest stand first, fifty on a page': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await until('all calls to be kept', async () => {
      await page.goto('/audit?tool=fail')
      return (await rows(page).count()) === 1
    })
    await page.goto('/audit')
    assert.equal(await rows(page).count(), 50)
    await page.getByRole('link', { name: 'Older' }).click()
    await page.waitForURL(/before=/)
    assert.ok((await rows(page).count()) > 10)
    await look('older')
    await page.getByRole('link', { name: 'Newest' }).click()
    await page.waitForURL((url) => !url.search.includes('before='))
    assert.equal(await rows(page).count(), 50)
  },

  'every filter narrows, and the address keeps it': async ({ page, look }) => {
    await narrow(page, { Outcome: 'tool_error' })
    assert.equal(await rows(page).count(), 1)
    await rows(page).getByText('called fail').waitFor()
    await look('outcome')
    await page.reload()
    assert.equal(await page.getByLabel('Outcome').inputValue(), 'tool_error')

    await narrow(page, { Preset: { label: 'second' } })
    assert.equal(await rows(page).filter({ hasText: 'called' }).count(), 1)
    await narrow(page, { Action: 'sign_in' })
    assert.ok((await rows(page).count()) >= 1)
    assert.equal(await rows(page).filter({ hasText: 'called' }).count(), 0)
    await narrow(page, { 'Tool or thing': 'work', Time: '1h' })
    assert.equal(await rows(page).count(), 50)
    await page.getByRole('link', { name: 'Older' }).click()
    await page.waitForURL(/before=/)
    assert.equal(await rows(page).count(), CALLS - 50)
    assert.equal(await page.getByLabel('Tool or thing').inputValue(), 'work')
    await narrow(page, { Who: 'ada', Text: 'fail' })
    assert.equal(await rows(page).filter({ hasNotText: 'fail' }).count(), 0)
  },

  'what is shown can be taken along as a file': async ({ page }) => {
    await narrow(page, { 'Tool or thing': 'work' })
    for (const [name, lines] of [['CSV', CALLS + 1], ['JSON lines', CALLS]]) {
      const coming = page.waitForEvent('download')
      await page.getByRole('link', { name, exact: true }).click()
      const download = await coming
      assert.match(download.suggestedFilename(), /^doorward-audit-\d{4}-\d{2}-\d{2}\.(csv|jsonl)$/)
      const text = await readFile(await download.path(), 'utf8')
      assert.equal(text.trimEnd().split('\n').length, lines, 'also what stands on other pages')
    }
  },

  'nothing found says so, with the way back': async ({ page, look }) => {
    await narrow(page, { Who: 'nobody-of-that-name' })
    await page.getByText('Nothing matches').waitFor()
    await look('nothing')
    await page.getByRole('link', { name: 'Clear' }).click()
    await page.waitForURL(/\/audit$/)
    assert.equal(await rows(page).count(), 50)
  },

  'an event has its details': async ({ page, look }) => {
    await narrow(page, { 'Tool or thing': 'fail' })
    await rows(page).getByRole('link').first().click()
    await page.waitForURL(/\/audit\/[\w-]{20,}/)
    for (const [term, value] of [
      ['Outcome', /tool error/],
      ['Who', /^ada$/],
      ['Preset', /^second$/],
      ['Source', /^tools$/],
      ['Tool', /^fail$/],
      ['Duration', /(µs|ms|s)$/],
      ['Protocol revision', /^2026-07-28$/],
    ]) {
      const fact = page.locator('dt', { hasText: new RegExp(`^${term}$`) }).locator('xpath=following-sibling::dd[1]')
      assert.match((await fact.innerText()).trim(), value, term)
    }
    await look('details')
  },

  'what happens now arrives by itself, or with the page': async ({ page, look, world, javaScript }) => {
    for (const path of ['/audit', '/']) {
      await page.goto(path)
      const live = page.getByRole('region', { name: 'Live' })
      if (javaScript) {
        // The tail is listening once the browser has its stream; a call before that would not be in it.
        await until('the tail to listen and to show a call', async () => {
          await callTool(world.to('second'), 'work')
          return live.getByText('called work').first().isVisible()
        })
        await look(path === '/' ? 'live-home' : 'live-audit')
        await live.getByRole('link', { name: 'called work' }).first().click()
        await page.waitForURL(/\/audit\/[\w-]{20,}/)
      } else {
        assert.equal(await live.isVisible(), false)
        const before = await page.getByText('second').count()
        await callTool(world.to('second'), 'work')
        await until('the call to stand on the page', async () => {
          await page.goto(path)
          return (await page.getByRole('row').filter({ hasText: 'second' }).count()) > 0 && before >= 0
        })
      }
    }
  },
})
