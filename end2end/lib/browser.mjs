// Chromium, watched: a page that logs an error, breaks its policy, overflows sideways or uses a class without a rule
// fails the test that looked at it, and so does one that people with a screen reader or weak eyes cannot use (axe-core).

import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { chromium } from 'playwright-core'

import { PATIENCE_MS } from './process.mjs'
import { CHROMIUM } from './programs.mjs'

const SHOTS = join(import.meta.dirname, '../shots')
const WIDTHS = [390, 1024, 1280, 1600]
const SCHEMES = ['light', 'dark']
// What axe-core looks at: everything in the narrow and in the wide layout, and in the dark what depends on colours.
const RULES = { '390 light': {}, '1280 light': {}, '1280 dark': { runOnly: ['color-contrast'] } }
const HEIGHT_MAX = 4000
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// Without these the browser looks for hosts of its maker at every start.
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts the browser. */
export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
}

/** Opens a page of its own profile, with scripts or without. `troubles` collects what went wrong on it. */
export async function open(browser, { javaScript, baseURL, name }) {
  // Without transitions a picture is never taken halfway.
  const context = await browser.newContext({ javaScriptEnabled: javaScript, baseURL, reducedMotion: 'reduce' })
  context.setDefaultTimeout(PATIENCE_MS)
  if (javaScript) await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: baseURL })
  const page = await context.newPage()
  const troubles = []
  const allowed = new Set()
  page.on('console', (message) => {
    const status = message.text().match(/status of (\d+)/)?.[1]
    if (message.type() === 'error' && !allowed.has(status)) troubles.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`))
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? ''
    // A page that is left ends what it still loads, the live tail among it; and where scripts are switched off the
    // browser says of each that it was not let in.
    const ends = reason.includes('ERR_ABORTED') || (!javaScript && reason === 'csp')
    if (!ends) troubles.push(`request: ${request.url()} ${reason}`)
  })
  let shots = 0

  return {
    page,
    javaScript,
    troubles,
    /** Lets pages answer with this status: the browser reports it as an error. */
    allow: (status) => allowed.add(String(status)),
    /** Pictures the page in all widths and schemes, and holds what must hold on every page. */
    async look(title) {
      await mkdir(SHOTS, { recursive: true })
      const number = String(++shots).padStart(2, '0')
      const mode = javaScript ? 'js' : 'nojs'
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.ok(wide <= width, `${title} is ${wide} px wide in a window of ${width}`)
        // The same page without scripts looks the same: one picture of it will do, and axe-core needs scripts.
        if (!javaScript && width !== 1024) continue
        // As high as the page, so that what sticks to an edge is at its place.
        const height = await page.evaluate(() => document.documentElement.scrollHeight)
        await page.setViewportSize({ width, height: Math.min(Math.max(height, 844), HEIGHT_MAX) })
        for (const colorScheme of javaScript ? SCHEMES : ['light']) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
          const file = `${name}-${number}-${title}-${mode}-${width}-${colorScheme}.png`
          await page.screenshot({ path: join(SHOTS, file.replaceAll(/[^\w.-]+/g, '-')) })
          const rules = javaScript && RULES[`${width} ${colorScheme}`]
          if (rules) assert.deepEqual(await barriers(page, rules), [], `${title} shuts people out, ${width} ${colorScheme}`)
        }
      }
      await page.emulateMedia({ colorScheme: null, reducedMotion: 'reduce' })
      await page.setViewportSize({ width: 1024, height: 900 })
      assert.deepEqual(await unstyled(page), [], `${title} uses classes without a rule`)
      assert.deepEqual(await unnamed(page), [], `${title} has controls without a name`)
      assert.deepEqual(await backticks(page), [], `${title} shows backticks where names should be set as code`)
      assert.deepEqual(troubles, [], `${title} went wrong`)
    },
    close: () => context.close(),
  }
}

/** Classes on the page that no rule of the sheet speaks of. */
function unstyled(page) {
  return page.evaluate(async () => {
    const sheets = [...document.querySelectorAll('link[rel=stylesheet]')].map((link) => link.href)
    const texts = await Promise.all(sheets.map((href) => fetch(href).then((answer) => answer.text())))
    const sheet = texts.join('\n').replaceAll(/\\(.)/g, '$1')
    const classes = new Set([...document.querySelectorAll('[class]')].flatMap((element) => [...element.classList]))
    const marks = (name) => /^(group|peer)(\/|$)/.test(name)
    return [...classes].filter((name) => !marks(name) && !sheet.includes(`.${name}`))
  })
}

/** What axe-core calls serious or critical. */
async function barriers(page, rules) {
  await page.evaluate(`${AXE};0`)
  return page.evaluate(async (rules) => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'], ...rules })
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    return grave.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`))
  }, rules)
}

/** Sentences that show a backtick where a name should be set as code. */
function backticks(page) {
  return page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const found = []
    while (walker.nextNode()) {
      const { data, parentElement } = walker.currentNode
      const own = !parentElement.closest('pre, code, textarea, blockquote, script, style')
      if (own && data.includes('`')) found.push(data.trim().slice(0, 160))
    }
    return found
  })
}

/** Links, buttons and fields that a screen reader would have no words for. */
function unnamed(page) {
  return page.evaluate(() => {
    const text = (element) => element?.textContent?.trim()
    const named = (element) =>
      element.getAttribute('aria-label')?.trim() ||
      (element.getAttribute('aria-labelledby') ?? '').split(/\s+/).some((id) => text(document.getElementById(id))) ||
      [...(element.labels ?? [])].some(text) ||
      element.getAttribute('title')?.trim() ||
      text(element) ||
      (element.type === 'submit' && element.value)
    const controls = document.querySelectorAll('a[href],button,summary,select,textarea,input:not([type=hidden])')
    return [...controls].filter((element) => !named(element)).map((element) => element.outerHTML.slice(0, 160))
  })
}
