// The playground: forms made of schemas, and what comes back as people read it.

import assert from 'node:assert/strict'

import { FILES, USERS, signIn } from '../lib/account.mjs'
import { changingSource, tool } from '../lib/changing.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

// Four red pixels.
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg=='

const TOOLS = [
  tool('echo', 'Says it back.', {
    inputSchema: {
      type: 'object',
      required: ['text'],
      properties: {
        text: { type: 'string', description: 'What is said.' },
        times: { type: 'integer', default: 1 },
        loud: { type: 'boolean' },
        language: { type: 'string', enum: ['English', 'Latin'] },
        extra: { type: 'object' },
      },
    },
  }),
  tool('picture', 'Draws.'),
  tool('numbers', 'Counts.', {
    outputSchema: { type: 'object', properties: { sum: { type: 'number' } }, required: ['sum'] },
  }),
  tool('links', 'Names what it knows.'),
  tool('complain', 'Always fails.'),
]

function call({ name, arguments: args }) {
  const text = (text) => ({ type: 'text', text })
  if (name === 'echo') return { content: [text(JSON.stringify(args)), text('<b>not bold</b>')] }
  if (name === 'picture') return { content: [{ type: 'image', mimeType: 'image/png', data: PICTURE }] }
  if (name === 'numbers') return { content: [text('{"sum":42.5}')], structuredContent: { sum: 42.5, of: ['a', 'b'] } }
  if (name === 'complain') return { isError: true, content: [text('I will not.')] }
  return {
    content: [
      { type: 'resource_link', uri: 'file:///notes.txt', name: 'notes' },
      { type: 'resource', resource: { uri: 'file:///inside.txt', mimeType: 'text/plain', text: 'what is inside' } },
    ],
  }
}

async function prepare() {
  const source = await changingSource({ tools: TOOLS, call })
  const declared = `version: 1
${USERS}
sources:
  - { owner: ada, name: toys, kind: mcp_http, url: "${source.url}" }
presets:
  - { owner: ada, slug: toys, visibility: private, tools: [{ source: toys, allow: all }] }
`
  const gateway = await startGateway({ declared, files: FILES })
  return {
    ...gateway,
    source,
    async stop() {
      assert.equal(await gateway.stop(), 0, gateway.server.output)
      await source.stop()
    },
  }
}

const pick = (page, name) => page.getByRole('navigation', { name: 'Tools' }).getByRole('link', { name }).click()
const send = (page) => page.getByRole('button', { name: 'Call the tool' }).click()
const answer = (page) => page.locator('section.panel').filter({ has: page.getByRole('heading', { name: 'Answer' }) })

flow('Playground', prepare, {
  'a form is made of the schema, each field by its kind': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/presets')
    await page.getByRole('link', { name: 'toys' }).first().click()
    await page.getByRole('link', { name: 'Playground' }).click()
    await pick(page, 'echo')
    assert.equal(await page.getByLabel('times').inputValue(), '1')
    assert.equal(await page.getByLabel('language').evaluate((field) => field.tagName), 'SELECT')
    await look('form')
  },

  'a mistake stands beside its field and what was typed stays': async ({ page, look }) => {
    await page.getByLabel('text').fill('salve')
    await page.getByLabel('times').fill('many')
    await send(page)
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('times').getAttribute('aria-invalid'), 'true')
    assert.equal(await page.getByLabel('text').inputValue(), 'salve')
    await look('mistake')
  },

  'text comes back as text, never as markup, and the arguments stay in the form': async ({ page, look }) => {
    await page.getByLabel('times').fill('2')
    await page.getByLabel('loud').selectOption('true')
    await page.getByLabel('language').selectOption('Latin')
    await page.getByLabel('extra').fill('{"a": [1, 2]}')
    await send(page)
    const expected = { text: 'salve', times: 2, loud: true, language: 'Latin', extra: { a: [1, 2] } }
    const shown = await answer(page).locator('pre').first().innerText()
    assert.deepEqual(JSON.parse(shown), expected)
    await answer(page).getByText('<b>not bold</b>', { exact: true }).first().waitFor()
    assert.equal(await page.getByLabel('text').inputValue(), 'salve')
    assert.equal(await page.getByLabel('language').inputValue(), 'Latin')
    await look('text')
  },

  'arguments may be written as JSON': async ({ page, look }) => {
    await page.getByText('Write the arguments as JSON').click()
    await page.getByLabel('Arguments as JSON').fill('{"text": ')
    await send(page)
    await page.getByLabel('Arguments as JSON').waitFor()
    assert.equal(await page.getByLabel('Arguments as JSON').getAttribute('aria-invalid'), 'true')
    await look('json-mistake')
    await page.getByLabel('Arguments as JSON').fill('{"text": "ave", "other": null}')
    await send(page)
    assert.deepEqual(JSON.parse(await answer(page).locator('pre').first().innerText()), { text: 'ave', other: null })
  },

  'a picture is drawn': async ({ page, look }) => {
    await pick(page, 'picture')
    await page.getByText('This tool takes no arguments').waitFor()
    await send(page)
    const picture = answer(page).getByRole('img')
    await picture.waitFor()
    assert.equal(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth)), 2)
    await look('picture')
  },

  'structured output is told apart from text': async ({ page, look }) => {
    await pick(page, 'numbers')
    await send(page)
    await answer(page).getByText('Structured output').waitFor()
    await answer(page).getByText('"sum": 42.5').first().waitFor()
    await look('structured')
  },

  'resources come with their address and their text': async ({ page, look }) => {
    await pick(page, 'links')
    await send(page)
    await answer(page).getByText('file:///notes.txt').first().waitFor()
    await answer(page).getByText('what is inside', { exact: true }).first().waitFor()
    await look('resources')
  },

  'an error of the tool is one, with its words': async ({ page, look }) => {
    await pick(page, 'complain')
    await send(page)
    await answer(page).getByText('tool error').waitFor()
    await answer(page).getByText('I will not.', { exact: true }).first().waitFor()
    await look('tool-error')
  },

  'a source that cannot be reached is named as the cause': async ({ page, look, world }) => {
    world.source.failing = true
    await pick(page, 'picture')
    await send(page)
    await answer(page).getByText('The data source `toys` cannot be reached').first().waitFor()
    await look('source-failed')
  },
})
