// A flow is told twice: once in a browser with JavaScript, once without.

import { after, before, describe, test } from 'node:test'

import { launch, open } from './browser.mjs'

let browser

/**
 * Runs `steps` in order in one page, each as a test; when one fails the ones behind it fail too, as they build on it.
 * `prepare` makes what the flow needs (a gateway, sources) and returns it with `url` and `stop()`.
 */
export function flow(name, prepare, steps) {
  for (const javaScript of [true, false]) {
    describe(`${name}, JavaScript ${javaScript ? 'on' : 'off'}`, () => {
      let world, tab, broken
      before(async () => {
        browser ??= await launch()
        world = await prepare()
        tab = await open(browser, { javaScript, baseURL: world.url, name: name.replaceAll(/\W+/g, '-').toLowerCase() })
      })
      after(async () => {
        await tab?.close()
        await world?.stop()
      })
      for (const [title, step] of Object.entries(steps)) {
        test(title, async () => {
          if (broken) throw new Error(`"${broken}" failed before`)
          try {
            await step({ ...tab, world, browser })
          } catch (error) {
            broken = title
            const place = `\nat ${tab.page.url()}\n${(await tab.page.locator('body').innerText()).slice(0, 1500)}`
            error.message += place + `\n${(world.server?.output ?? '').split('\n').slice(-15).join('\n')}`
            throw error
          }
        })
      }
    })
  }
}

after(() => browser?.close())
