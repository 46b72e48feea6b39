// The suite for authorization servers, against Doorward's own issuer. It asks a person to open an address in a browser;
// a few requests stand for both, since the flows have the real ones.

import { freePort, until } from '../lib/process.mjs'
import { runAuthorization } from './suite.mjs'

/** The way of this suite. */
export const AS_ISSUER = 'as an issuer'

/** Runs it against a gateway on which `person` may use the preset at `resource`; returns a row as the others have them. */
export async function issuerSuite(gateway, resource, person) {
  const begun = Date.now()
  // The suite listens itself, on a port that it has to be told.
  const port = await freePort()
  const registered = await fetch(`${gateway.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'The conformance suite',
      redirect_uris: ['http://127.0.0.1/callback'],
      token_endpoint_auth_method: 'none',
    }),
  })
  const { client_id: client } = await registered.json()
  const found = await runAuthorization({ url: gateway.url, client, resource, port }, (suite) => agree(gateway, person, suite))
  return { way: AS_ISSUER, suite: 'authorization', ms: Date.now() - begun, ...found }
}

/** Opens the address that the suite prints, signs in, agrees, and goes where that leads. */
async function agree(gateway, { handle, password }, suite) {
  const asked = await until('the address to open', () => suite.output.match(/http\S+\/oauth\/authorize\?\S+/)?.[0])
  const post = (path, fields, cookie = '') =>
    fetch(`${gateway.url}${path}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'sec-fetch-site': 'same-origin', cookie },
      body: new URLSearchParams(fields),
    })
  const signedIn = await post('/do/sign-in', { login: handle, password })
  const cookie = signedIn.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
  const page = await fetch(asked, { headers: { cookie } })
  const names = [...(await page.text()).matchAll(/name="tools\[\]"[^>]*value="([^"]+)"/g)].map(([, name]) => ['tools[]', name])
  const answer = await post('/do/consent', [['request', new URL(asked).search.slice(1)], ['decision', 'allow'], ...names], cookie)
  await fetch(answer.headers.get('location'))
}
