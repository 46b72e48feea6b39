// The playground: forms made of schemas, and what comes back as people read it.

import assert from 'node:assert/strict'

import { signIn } from '../lib/account.mjs'
import { tool } from '../lib/changing.mjs'
import { declaredGateway } from '../lib/declared.mjs'
import { flow } from '../lib/flow.mjs'

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

const RESOURCES = [
  { uri: 'notes://today', name: 'today', title: 'Notes of today', description: 'What is to be done.', mimeType: 'text/markdown' },
  { uri: 'notes://sketch', name: 'sketch', mimeType: 'image/png' },
]
const TEMPLATES = [{ uriTemplate: 'notes://{year}/{+path}{?version}', name: 'a note', description: 'Any note.' }]
const PROMPTS = [
  {
    name: 'review',
    description: 'Asks for a review.',
    arguments: [
      { name: 'file', description: 'What to look at.', required: true },
      { name: 'tone', description: 'How to say it.' },
    ],
  },
  { name: 'plain', description: 'Takes nothing.' },
]

function read({ uri }) {
  if (uri === 'notes://sketch') return { contents: [{ uri, mimeType: 'image/png', blob: PICTURE }] }
  if (uri.endsWith('gone')) throw new Error('there is no such note')
  return { contents: [{ uri, mimeType: 'text/markdown', text: `# ${uri}\n<b>not bold</b>` }] }
}

function get({ name, arguments: args }) {
  const says = (role, text) => ({ role, content: { type: 'text', text } })
  return { description: `The prompt ${name}.`, messages: [says('user', JSON.stringify(args ?? {})), says('assistant', 'Gladly.')] }
}

async function prepare() {
  const offer = { tools: TOOLS, resources: RESOURCES, templates: TEMPLATES, prompts: PROMPTS }
  return declaredGateway({ name: 'toys', source: { ...offer, call, read, get } })
}

const pick = (page, name, shelf = 'Tools') =>
  page.getByRole('navigation', { name: shelf, exact: true }).getByRole('link', { name }).click()
const send = (page, button = 'Call the tool') => page.getByRole('button', { name: button }).click()
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

  'a resource is read as it is, and a picture drawn': async ({ page, look }) => {
    await pick(page, 'Notes of today', 'Resources')
    await page.getByText('nothing to fill in').waitFor()
    await send(page, 'Read the resource')
    await answer(page).getByText('# notes://today').first().waitFor()
    await answer(page).getByText('<b>not bold</b>').first().waitFor()
    await look('resource')
    await pick(page, 'sketch', 'Resources')
    await send(page, 'Read the resource')
    assert.equal(
      await answer(page)
        .getByRole('img')
        .evaluate((image) => image.decode().then(() => image.naturalWidth)),
      2,
    )
  },

  'a template says which variable is missing, and its address is made of them': async ({ page, look }) => {
    await pick(page, 'a note', 'Resource templates')
    await page.getByLabel('path').fill('work/plan b')
    await send(page, 'Read the resource')
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('year').getAttribute('aria-invalid'), 'true')
    assert.equal(await page.getByLabel('path').inputValue(), 'work/plan b')
    await look('template-mistake')
    await page.getByLabel('year').fill('2026')
    await send(page, 'Read the resource')
    await answer(page).getByText('# notes://2026/work/plan%20b').first().waitFor()
    assert.equal(await page.getByLabel('year').inputValue(), '2026')
    await look('template')
  },

  'what a source says of a resource that is not there is told': async ({ page, look }) => {
    await page.getByLabel('path').fill('gone')
    await send(page, 'Read the resource')
    await answer(page).getByText('failed', { exact: true }).waitFor()
    await answer(page).getByText('there is no such note').first().waitFor()
    await look('resource-failed')
  },

  'a resource that a result names can be read from there': async ({ page, look }) => {
    await pick(page, 'links')
    await send(page)
    await answer(page).getByRole('link', { name: 'file:///notes.txt' }).click()
    await page.getByRole('heading', { name: 'file:///notes.txt' }).waitFor()
    await send(page, 'Read the resource')
    await answer(page).getByText('# file:///notes.txt').first().waitFor()
    await look('named-resource')
  },

  'a prompt wants what it cannot be made without, and comes back as its messages': async ({ page, look }) => {
    await pick(page, 'review', 'Prompts')
    await page.getByLabel('tone').fill('kind')
    await send(page, 'Get the prompt')
    await page.locator('[aria-invalid=true]').waitFor()
    assert.equal(await page.getByLabel('file').getAttribute('aria-invalid'), 'true')
    assert.equal(await page.getByLabel('tone').inputValue(), 'kind')
    await page.getByLabel('file').fill('main.rs')
    await send(page, 'Get the prompt')
    const shown = await answer(page).locator('pre').first().innerText()
    assert.deepEqual(JSON.parse(shown), { file: 'main.rs', tone: 'kind' })
    await answer(page).getByRole('heading', { name: 'assistant' }).waitFor()
    await answer(page).getByText('Gladly.', { exact: true }).first().waitFor()
    await look('prompt')
    await pick(page, 'plain', 'Prompts')
    await page.getByText('This prompt takes no arguments').waitFor()
  },

  'all of it is in the audit log': async ({ page }) => {
    await page.goto('/audit')
    const events = page.getByRole('table', { name: 'Events' })
    for (const what of ['read notes://today', 'read notes://2026/work/plan%20b', 'used the prompt review', 'called picture']) {
      await events.getByText(what).first().waitFor()
    }
    await page.goto('/presets')
    await page.getByRole('link', { name: 'toys' }).first().click()
    await page.getByRole('link', { name: 'Playground' }).click()
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
