// A person in front of a browser, as far as signing in to a source needs one: follows links and redirects, keeps
// cookies, and clicks the buttons of the console's pages. The suite's issuers let everybody in at once.

/** How often a person signs in to one source before they give up. */
const SIGN_INS_MAX = 3

/** Signs in to the console at `origin`; the returned functions act in that browser. */
export async function person(origin, login, password) {
  const cookies = new Map()

  const visit = async (address, form) => {
    const url = new URL(address, origin)
    const headers = { Cookie: [...cookies].map((pair) => pair.join('=')).join('; '), 'Sec-Fetch-Site': 'same-origin' }
    const body = form && new URLSearchParams(form)
    // Cookies are for the console alone.
    const init = url.origin === origin ? { method: form ? 'POST' : 'GET', headers, body } : {}
    const answer = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(30_000) })
    for (const cookie of url.origin === origin ? answer.headers.getSetCookie() : []) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/)
      if (/max-age=0/i.test(cookie)) cookies.delete(name)
      else cookies.set(name, value)
    }
    const onward = answer.headers.get('location')
    return { onward: onward && new URL(onward, url).href, text: await answer.text() }
  }

  await visit('/do/sign-in', { login, password })
  let signedIn = 0

  /** Signs in with the connection of this id. Says whether the browser was sent to the issuer and back. */
  const signInWith = async (id) => {
    if (++signedIn > SIGN_INS_MAX) return false
    const going = await visit('/do/connections/begin', { id })
    if (!going.onward?.includes('/connections/going/')) {
      console.error('not begun:', (await visit(going.onward)).text.match(/class="[^"]*mistake[^"]*"[^>]*>([^<]+)/)?.[1])
      return false
    }
    const page = await visit(going.onward)
    const link = page.text.match(/href="([^"]*response_type=code[^"]*)"/)[1].replaceAll('&amp;', '&')
    const back = await visit(link)
    if (!back.onward?.startsWith(`${origin}/connections/callback?`)) return false
    const done = await visit(back.onward)
    console.error('signed in:', done.onward)
    return true
  }

  return {
    /** Signs in to a source, by its name, with the connection on the page of all connections. */
    signInTo: async (name) => {
      const { text } = await visit('/connections')
      const id = text.match(new RegExp(`href="/connections/([0-9a-f-]{36})"[^>]*>${name}<`))?.[1]
      if (!id) throw new Error(`no connection to ${name}`)
      return signInWith(id)
    },
  }
}
