// The owner that most flows begin with.

export const OWNER = { handle: 'ada', email: 'ada@example.org', password: 'correct horse battery staple' }

/** The users of a declared installation, and the file their password is in. */
export const USERS = `users:
  - { handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: enterprise }
  - { handle: bob, email: bob@example.org, password_file: bob.password, role: member, plan: free }
`
export const FILES = { 'ada.password': `${OWNER.password}\n`, 'bob.password': 'another horse battery staple\n' }
export const BOB = { handle: 'bob', password: 'another horse battery staple' }

/** Signs in on the sign-in page. */
export async function signIn(page, { handle, password } = OWNER) {
  await page.goto('/sign-in')
  await page.getByLabel('Handle or e-mail').fill(handle)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}
