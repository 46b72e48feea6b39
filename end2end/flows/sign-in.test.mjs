// Who is who: signing in and out, changing the password, ending other sessions.

import assert from 'node:assert/strict'

import { open } from '../lib/browser.mjs'
import { BOB, FILES, OWNER, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

const prepare = () => startGateway({ declared: `version: 1\n${USERS}`, files: FILES })

flow('Sign in', prepare, {
  'a page asks strangers to sign in and brings them there afterwards': async ({ page }) => {
    await page.goto('/keys')
    await page.waitForURL(/\/sign-in\?next=/)
    await page.getByLabel('Handle or e-mail').fill(OWNER.handle)
    await page.getByLabel('Password').fill(OWNER.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL('**/keys')
  },

  'signing out ends the session': async ({ page }) => {
    await page.goto('/')
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await page.waitForURL(/\/sign-in/)
    await page.goto('/')
    await page.waitForURL(/\/sign-in/)
  },

  'a wrong password is refused beside the form and the name is kept': async ({ page, look }) => {
    await signIn(page, { ...OWNER, password: 'not the password at all' })
    await page.getByRole('alert').waitFor()
    assert.equal(await page.getByLabel('Handle or e-mail').inputValue(), OWNER.handle)
    assert.equal(await page.getByLabel('Password').inputValue(), '')
    await look('refused')
  },

  'an unknown name is refused in the same words': async ({ page }) => {
    await signIn(page, { ...OWNER, password: 'not the password at all' })
    const known = await page.getByRole('alert').innerText()
    await signIn(page, { handle: 'nobody', password: 'not the password at all' })
    assert.equal(await page.getByRole('alert').innerText(), known)
  },

  'the e-mail address signs in as well': async ({ page }) => {
    await signIn(page, { ...OWNER, handle: OWNER.email })
    await page.waitForURL((url) => url.pathname === '/')
  },

  'a new password ends the other sessions': async ({ page, look, browser, javaScript, world }) => {
    const other = await open(browser, { javaScript, baseURL: world.url, name: 'other' })
    await signIn(other.page)
    await other.page.waitForURL((url) => url.pathname === '/')

    await page.goto('/account')
    await look('account')
    await page.getByLabel('The one you have').fill(OWNER.password)
    await page.getByLabel('The new one', { exact: true }).fill('a better horse battery staple')
    await page.getByLabel('The new one again').fill('a better horse battery staple')
    await page.getByRole('button', { name: 'Change the password' }).click()
    await page.getByRole('status').waitFor()

    await other.page.goto('/')
    await other.page.waitForURL(/\/sign-in/)
    await other.close()
    await page.goto('/')
    assert.equal(new URL(page.url()).pathname, '/')
  },

  'another browser is signed out from the list': async ({ page, look, browser, javaScript, world }) => {
    const other = await open(browser, { javaScript, baseURL: world.url, name: 'other' })
    await signIn(other.page, { ...OWNER, password: 'a better horse battery staple' })
    await other.page.waitForURL((url) => url.pathname === '/')
    await page.goto('/account')
    await look('two-sessions')
    const row = page.getByRole('row').filter({ hasText: 'Chrome' }).filter({ hasNotText: 'This one' })
    await row.getByRole('button').click()
    await row.waitFor({ state: 'detached' })
    await other.page.goto('/')
    await other.page.waitForURL(/\/sign-in/)
    await other.close()
  },

  'members see no administration': async ({ page, allow }) => {
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await signIn(page, BOB)
    await page.waitForURL((url) => url.pathname === '/')
    assert.equal(await page.getByRole('link', { name: 'Admin' }).count(), 0)
    allow(403)
    const answer = await page.goto('/admin')
    assert.equal(answer.status(), 403)
  },
})
