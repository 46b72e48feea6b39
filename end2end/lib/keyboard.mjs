// The console by keyboard alone: what has the focus is seen, and every stop can be left again.

import assert from 'node:assert/strict'

const STOPS_MAX = 200

/** Presses Tab until one of `target` has the focus. Whatever it passes must be seen to have it. */
export async function tabTo(page, target) {
  await target.first().waitFor()
  for (let stop = 0; stop < STOPS_MAX; stop++) {
    await page.keyboard.press('Tab')
    await assertSeen(page)
    if (await target.first().evaluate((element) => element === document.activeElement)) return
  }
  assert.fail(`${STOPS_MAX} times Tab and never at ${target}`)
}

/** Goes to a link, a button or a summary and presses Enter there. */
export async function press(page, target) {
  await tabTo(page, target)
  await page.keyboard.press('Enter')
}

/** Goes to a field and types over what stands in it. */
export async function type(page, target, text) {
  await tabTo(page, target)
  await page.keyboard.press('Control+A')
  await page.keyboard.type(text)
}

/** Walks through the whole page: every control in its order, none twice, and out at the end. */
export async function walk(page) {
  const expected = await page.evaluate(() => {
    const all = document.querySelectorAll('a[href],button,summary,select,textarea,input:not([type=hidden])')
    const stops = [...all].filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled)
    // Of radio buttons of one name only one is a stop.
    const radios = new Set()
    const counts = ({ type, name }) => type !== 'radio' || (!radios.has(name) && radios.add(name))
    return stops.filter(counts).length
  })
  const order = await page.evaluate(() => [...document.querySelectorAll('[tabindex]')].filter((one) => one.tabIndex > 0).length)
  assert.equal(order, 0, `${page.url()} has an order of its own`)
  // From wherever the focus is to the end, and then once through everything.
  await lap(page)
  let stops = await lap(page)
  // What had the focus may have been exchanged while the page was still loading, and that lap ended in the middle.
  if (stops < expected) stops = await lap(page)
  assert.ok(stops >= expected, `${page.url()} has ${expected} controls and ${stops} stops`)
}

/** Presses Tab until the focus has left the page, and returns how many stops there were. */
async function lap(page) {
  for (let stops = 0; stops < STOPS_MAX; stops++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(() => document.activeElement === document.body)) return stops
    await assertSeen(page)
  }
  assert.fail(`${page.url()} does not let the keyboard go`)
}

async function assertSeen(page) {
  const trouble = await page.evaluate(() => {
    const element = document.activeElement
    if (element === document.body) return null
    const { outlineStyle, outlineWidth, opacity } = getComputedStyle(element)
    const what = element.outerHTML.slice(0, 120)
    if (outlineStyle === 'none' || parseFloat(outlineWidth) < 1 || opacity === '0') return `no outline around ${what}`
    const { left, top, width, height } = element.getBoundingClientRect()
    const [x, y] = [left + Math.min(width, innerWidth) / 2, top + Math.min(height, 20) / 2]
    if (x < 0 || y < 0 || x > innerWidth || y > innerHeight) return `outside of the window: ${what}`
    const there = document.elementFromPoint(x, y)
    const own = element.contains(there) || there?.contains(element) || there?.closest('label')?.contains(element)
    return own ? null : `hidden behind ${there?.outerHTML.slice(0, 120)}: ${what}`
  })
  assert.equal(trouble, null, page.url())
}
