// Signing in with another identity provider: a real one, in the same browser.

import assert from 'node:assert/strict'

import { BOB, FILES, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { providerFiles, startProvider } from '../lib/provider.mjs'

async function prepare() {
  const provider = await startProvider()
  const gateway = await startGateway({
    declared: `version: 1\n${USERS}`,
    files: { ...FILES, ...providerFiles(provider.issuer) },
    env: { DOORWARD_LOGINS_FILE: 'logins.toml', DOORWARD_SIGN_UP: 'example.org' },
  })
  provider.serve(gateway.url)
  return { ...gateway, stop: () => Promise.all([gateway.stop(), provider.stop()]) }
}

const signOut = (page) => page.getByRole('button', { name: 'Sign out' }).first().click()

/** Goes to the provider, and signs in there where it does not know the browser yet. */
async function byProvider(page, login) {
  await page.getByRole('link', { name: /Example/ }).click()
  if (!login) return
  await page.getByLabel('Who are you?').fill(login)
  await page.getByRole('button', { name: 'Let me in' }).click()
}

flow('Logins', prepare, {
  'somebody new makes an account with another provider and goes on': async ({ page, look }) => {
    await page.goto('/keys')
    await page.waitForURL(/\/sign-in\?next=/)
    await look('sign-in')
    await byProvider(page, 'carol')
    await page.waitForURL('**/sign-up')
    assert.equal(await page.getByLabel('Handle').inputValue(), 'carol')
    await look('sign-up')
    await page.getByRole('button', { name: 'Make the account' }).click()
    await page.waitForURL('**/keys')
  },

  'from then on one click is enough': async ({ page }) => {
    await signOut(page)
    await page.waitForURL(/\/sign-in/)
    await byProvider(page)
    await page.waitForURL((url) => url.pathname === '/')
  },

  'the only way in stays until there is another': async ({ page, look }) => {
    await page.goto('/account')
    const row = page.getByRole('row').filter({ hasText: 'carol@example.org' })
    await row.getByText('Remove…').click()
    await look('account')
    await row.getByRole('button', { name: /Remove/ }).click()
    await page.getByText('This is your only way in').waitFor()
    await page.getByRole('row').filter({ hasText: 'carol@example.org' }).waitFor()
  },

  'who has an account adds the login to it, and signs in by it': async ({ page, look, browser, javaScript, world }) => {
    const context = await browser.newContext({ javaScriptEnabled: javaScript, baseURL: world.url })
    const other = await context.newPage()
    await other.goto('/sign-in')
    await byProvider(other, 'bob')
    await other.getByText('There is an account with your e-mail address').waitFor()
    await context.close()

    await signOut(page)
    await signIn(page, BOB)
    await page.waitForURL((url) => url.pathname === '/')
    // The provider knows this browser as carol, whose login is hers.
    await page.goto('/account')
    await byProvider(page)
    await page.getByText('belongs to another account').waitFor()
    await page.context().clearCookies({ name: /^_session/ })
    await byProvider(page, 'bob')
    await page.waitForURL('**/account/add-login')
    await page.getByLabel('Your password here').fill('not the password at all')
    await page.getByRole('button', { name: 'Add it to bob' }).click()
    await page.getByText('not your password').waitFor()
    await look('add')
    await page.getByLabel('Your password here').fill(BOB.password)
    await page.getByRole('button', { name: 'Add it to bob' }).click()
    await page.waitForURL('**/account')

    await signOut(page)
    await page.waitForURL(/\/sign-in/)
    await byProvider(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.getByText('bob').first().waitFor()
  },
})
