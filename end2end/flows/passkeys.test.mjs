// Passkeys, with the authenticator that Chromium has for tests. Without JavaScript there are none, and the pages say so.

import assert from 'node:assert/strict'

import { FILES, OWNER, USERS, signIn } from '../lib/account.mjs'
import { open } from '../lib/browser.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

// An address is no name that passkeys could be for.
const prepare = async () => {
  const gateway = await startGateway({ declared: `version: 1\n${USERS}`, files: FILES })
  return { ...gateway, address: gateway.url, url: gateway.url.replace('127.0.0.1', 'localhost') }
}

let recovery

/** Gives the page an authenticator that confirms everything. */
async function plugIn(page) {
  const devTools = await page.context().newCDPSession(page)
  await devTools.send('WebAuthn.enable')
  const options = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true }
  await devTools.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...options, isUserVerified: true, automaticPresenceSimulation: true },
  })
}

async function begin(page) {
  await page.goto('/account')
  await page.getByRole('link', { name: 'Add a passkey' }).click()
  await page.getByLabel('Name').fill('Telephone')
  await page.getByLabel('Your password').fill(OWNER.password)
  await page.getByRole('button', { name: 'Go on' }).click()
}

flow('Passkeys', prepare, {
  'a passkey is added, and recovery codes come with it': async ({ page, look, javaScript }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    if (javaScript) await plugIn(page)
    await begin(page)
    if (!javaScript) {
      await page.getByText('A passkey needs JavaScript').waitFor()
      assert.equal(await page.getByRole('button', { name: 'Make the passkey' }).isVisible(), false)
      await look('no-script')
      return
    }
    await page.getByRole('button', { name: 'Make the passkey' }).waitFor()
    await look('make')
    await page.getByRole('button', { name: 'Make the passkey' }).click()
    await page.getByText('Your recovery codes').waitFor()
    recovery = (await page.locator('pre').innerText()).trim().split(/\s+/)
    assert.equal(recovery.length, 10)
    await page.goto('/account')
    await page.getByRole('link', { name: 'Telephone' }).waitFor()
    await look('account')
  },

  'it opens the account after the password, and not at another address': async ({ page, look, world, javaScript }) => {
    if (!javaScript) return
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await page.goto(`${world.address}/sign-in`)
    await page.getByLabel('Handle or e-mail').fill(OWNER.handle)
    await page.getByLabel('Password').fill(OWNER.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText(`Passkeys are for ${world.url}`).waitFor()
    await look('elsewhere')
    await signIn(page)
    await page.getByRole('button', { name: 'Use a passkey' }).waitFor()
    await look('asked')
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/account')
    await page.getByRole('link', { name: 'Telephone' }).click()
    await page.getByRole('button', { name: 'Remove the passkey' }).waitFor()
    await look('one')
  },

  'a recovery code opens it where scripts do not run': async ({ browser, world, javaScript }) => {
    if (!javaScript) return
    const plain = await open(browser, { javaScript: false, baseURL: world.url, name: 'passkeys-plain' })
    await signIn(plain.page)
    await plain.page.getByText('A passkey needs JavaScript').waitFor()
    await plain.look('asked')
    await plain.page.getByLabel('Recovery code').fill(recovery[0])
    await plain.page.getByRole('button', { name: 'Sign in' }).click()
    await plain.page.waitForURL((url) => url.pathname === '/')
    await plain.close()
  },
})
