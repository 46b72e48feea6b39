// An application of a real Spark History Server is analysed: chosen, followed, read, compared, counted and removed.

import assert from 'node:assert/strict'

import { FILES, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { gateBefore } from '../lib/gate.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { SKEWED, startSpark } from '../lib/spark.mjs'

// Three are used up with the last of this flow.
const DECLARED = `version: 1
plans:
  - { name: small, calls_per_month: 1000, analyses_per_month: 3, concurrent_analyses: 1, sources_max: 3, retention_days: 7 }
users:
  - { handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: small }
`
/** It ran twice: once its tasks failed, once they were skewed. */
const TWICE = 'application_1795233000000_0001'

async function prepare() {
  const spark = await startSpark()
  const gate = await gateBefore(spark.url)
  const gateway = await startGateway({ declared: DECLARED, files: { 'ada.password': FILES['ada.password'] } })
  return {
    ...gateway,
    spark,
    gate,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await gate.stop()
      await spark.stop()
    },
  }
}

const reportOf = (page) => page.getByRole('heading', { name: /^Findings/ })

async function analyzeById(page, world, { id, run = '' }) {
  await page.goto(world.begin)
  await page.getByLabel('Id of the application').fill(id)
  await page.getByLabel('Run (optional)').fill(run)
  await page.getByRole('button', { name: 'Analyze', exact: true }).click()
  await page.waitForURL(/\/analyses\/[0-9a-f-]{36}$/)
}

flow('Analyses', prepare, {
  'without a source that can be analysed the list says which would be': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/analyses')
    await page.getByText('No data source that can be analysed yet').waitFor()
    await page.getByText('0 of 3 analyses used this month').waitFor()
    await look('nothing')
    await page.getByRole('main').getByRole('link', { name: 'Add a data source' }).click()
    await page.waitForURL(/\/sources\/new/)
  },

  'a history server leads to its applications': async ({ page, look, world }) => {
    await page.getByLabel(/^Address of the MCP server/).fill(world.gate.url)
    await page.getByRole('button', { name: /^Look/ }).click()
    await page.getByLabel('Name', { exact: true }).fill('spark')
    await page.getByRole('button', { name: 'Add and test' }).click()
    await page.getByText('Every step worked').waitFor()
    await page.getByRole('link', { name: 'Analyze' }).click()
    await page.waitForURL(/\/analyses\/new\?source=/)
    world.begin = page.url()
    await page.getByText('doorward-skew').first().waitFor()
    await page.getByText('2 runs, of which the last is read').waitFor()
    await look('applications')
  },

  'while one runs its steps are shown, no other begins, and it can be cancelled': async ({ page, look, world, javaScript }) => {
    world.gate.close()
    await page.getByRole('button', { name: `Analyze doorward-skew (${SKEWED})` }).click()
    await page.getByText(/^\d of \d steps answered/).waitFor()
    const running = page.url()
    // Without scripts the page loads itself again and again, also while it is looked at.
    if (javaScript) await look('running')
    await page.goto('/analyses')
    await page.getByText('One analysis runs, and the plan allows one at a time').waitFor()
    assert.ok(await page.getByRole('button', { name: 'New analysis' }).isDisabled())
    await page.goto(running)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('It was cancelled.').waitFor()
    await page.getByText('so it is not counted').waitFor()
    await look('cancelled')
    world.gate.open()
  },

  'the report says what is wrong, with numbers, links and drawings': async ({ page, look, world }) => {
    await page.getByRole('button', { name: 'Run again' }).click()
    await reportOf(page).waitFor()
    world.report = page.url()
    await page.getByText(/one task has .* times the work of the median one/).first().waitFor()
    const links = page.getByRole('article').first().getByRole('link')
    assert.match(await links.first().getAttribute('href'), new RegExp(`/history/${SKEWED}/`))
    await page.getByText('spark.sql.adaptive.enabled=true', { exact: true }).first().waitFor()
    for (const name of ['When each stage ran', 'How long the tasks of each stage ran', 'How cores were used over time']) {
      await page.getByRole('img', { name }).waitFor()
    }
    await look('report')
  },

  'the numbers of the drawings stand below them': async ({ page, look }) => {
    const summaries = page.getByText('Show the numbers')
    assert.equal(await summaries.count(), 3)
    for (const summary of await summaries.all()) await summary.click()
    await page.getByText(/^Show \d+ settings$/).click()
    await page.getByText(/^Show \d+ executor/).click()
    const tasks = page.getByRole('table', { name: 'How long the tasks of each stage ran' })
    const skewed = tasks.getByRole('row', { name: /skewed/ })
    assert.match(await skewed.innerText(), /12\.\d\ss/)
    await look('numbers')
  },

  'it is taken along as Markdown and JSON': async ({ page }) => {
    for (const [name, begins] of [['Markdown', '# doorward-skew'], ['JSON', '{']]) {
      const path = await page.getByRole('link', { name, exact: true }).getAttribute('href')
      const answer = await page.request.get(path)
      assert.equal(answer.status(), 200)
      assert.ok((await answer.text()).startsWith(begins), name)
    }
  },

  'an application that nobody knows has no report, and that says why': async ({ page, look, world }) => {
    await analyzeById(page, world, { id: 'local-1' })
    await page.getByText('There is no report.').waitFor()
    await page.getByText('What can be done').waitFor()
    await look('failed')
  },

  'two runs of an application are held against each other': async ({ page, look, world }) => {
    await analyzeById(page, world, { id: TWICE, run: '1' })
    await reportOf(page).waitFor()
    await page.getByText('There is none yet.').waitFor()
    await page.getByText('failed: a dashed bar').first().waitFor()
    await look('failing')
    await analyzeById(page, world, { id: TWICE, run: '2' })
    await reportOf(page).waitFor()
    await page.getByLabel('Against').selectOption({ index: 0 })
    await page.getByRole('button', { name: 'Compare' }).click()
    await page.waitForURL(/\/against\/[0-9a-f-]{36}$/)
    await page.getByRole('heading', { name: 'Stages side by side' }).waitFor()
    await page.getByRole('table', { name: 'Sums before and after' }).getByText('worse').first().waitFor()
    await look('comparison')
    await page.getByRole('link', { name: 'Swap before and after' }).click()
    await page.getByRole('table', { name: 'Sums before and after' }).getByText('better').first().waitFor()
  },

  'a plan that is used up says so, and until when': async ({ page, look, world }) => {
    await page.goto(world.begin)
    await page.getByText('All 3 analyses of this month are used up.').waitFor()
    assert.ok(await page.getByRole('button', { name: 'Analyze', exact: true }).isDisabled())
    await page.goto('/analyses')
    await page.getByText('3 of 3 analyses used this month').waitFor()
    assert.ok(await page.getByRole('button', { name: 'New analysis' }).isDisabled())
    await look('list')
  },

  'the list is searched, and what is removed is gone': async ({ page, world }) => {
    const rows = page.getByRole('table', { name: 'Analyses' }).locator('tbody tr')
    assert.equal(await rows.count(), 5)
    await page.getByLabel('Text').fill('doorward-skew')
    await page.getByLabel('State').selectOption('done')
    await page.getByRole('button', { name: 'Show' }).click()
    await page.waitForURL(/text=doorward-skew/)
    assert.equal(await rows.count(), 1)
    await rows.getByRole('link').first().click()
    assert.equal(page.url(), world.report)
    await page.getByText('Remove…').click()
    await page.getByRole('button', { name: /^Remove the analysis/ }).click()
    await page.getByText('The analysis is removed.').waitFor()
    assert.equal(await rows.count(), 4)
  },
})
