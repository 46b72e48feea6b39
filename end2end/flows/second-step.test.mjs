// The second step: setting it up with an authenticator, being asked for a code, and losing the authenticator.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'

import { FILES, OWNER, USERS, signIn } from '../lib/account.mjs'
import { flow } from '../lib/flow.mjs'
import { startGateway } from '../lib/gateway.mjs'

const prepare = () => startGateway({ declared: `version: 1\n${USERS}`, files: FILES })

let secret, step, recovery

/** What an authenticator shows that many time steps after the one it was set up in (RFC 6238). */
function code(later) {
  const letters = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter))
  const bits = letters.map((value) => value.toString(2).padStart(5, '0')).join('')
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step + later))
  const digest = createHmac('sha1', Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2))))
  const mac = digest.update(counter).digest()
  const value = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff
  return String(value % 1_000_000).padStart(6, '0')
}

flow('Second step', prepare, {
  'it is set up with an authenticator': async ({ page, look }) => {
    await signIn(page)
    await page.waitForURL((url) => url.pathname === '/')
    await page.goto('/account')
    await page.getByLabel('Your password').fill(OWNER.password)
    await page.getByRole('button', { name: 'Set up an authenticator' }).click()
    await page.waitForURL('**/account/second-factor')
    await page.getByRole('img', { name: 'QR code' }).waitFor()
    await look('set-up')
    secret = (await page.getByText(/^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/).first().innerText()).replaceAll(' ', '')
    step = Math.floor(Date.now() / 30_000)
    await page.getByLabel('The code that your authenticator shows').fill(code(0))
    await page.getByRole('button', { name: 'Switch it on' }).click()
    await page.getByText('Your recovery codes').waitFor()
    await look('recovery-codes')
    recovery = (await page.locator('pre').innerText()).trim().split(/\s+/)
    assert.equal(recovery.length, 10)
  },

  'the password alone opens nothing, and a code does': async ({ page, look }) => {
    await page.goto('/account')
    await look('on')
    await page.getByRole('button', { name: 'Sign out' }).first().click()
    await page.goto('/keys')
    await page.getByLabel('Handle or e-mail').fill(OWNER.handle)
    await page.getByLabel('Password').fill(OWNER.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(/\/sign-in\/code/)
    await page.getByLabel('Code').fill(code(0))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('wrong, or was used').waitFor()
    await look('code')
    await page.getByLabel('Code').fill(code(1))
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL('**/keys')
  },

  'a recovery code switches it off': async ({ page }) => {
    await page.goto('/account')
    await page.getByLabel('Code, to switch it off').fill(recovery[0])
    await page.getByRole('button', { name: 'Switch it off' }).click()
    await page.getByRole('button', { name: 'Set up an authenticator' }).waitFor()
  },
})
