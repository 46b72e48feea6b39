// A real identity provider, npm `oidc-provider`, with a page of its own on which anybody signs in as whom they say.

import { createServer } from 'node:http'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { PEERS } from './programs.mjs'

const PACKAGE = join(PEERS, 'npm/node_modules/oidc-provider/lib/index.js')
const CLIENT = { client_id: 'doorward', client_secret: 'only for tests, of thirty-two bytes' }

/** The files a gateway needs to know the provider as `staff`. */
export const providerFiles = (issuer) => ({
  'logins.toml': `[staff]
label = "Example"
issuer = "${issuer}"
client_id = "${CLIENT.client_id}"
client_secret_file = "staff.secret"
`,
  'staff.secret': CLIENT.client_secret,
})

/** Listens; whom it lets in to is said later with `serve`, when that is known. */
export async function startProvider() {
  const { Provider } = await import(pathToFileURL(PACKAGE).href)
  let answer
  const server = createServer((request, response) => answer(request, response))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${server.address().port}`

  return {
    issuer,
    /** Begins to let people in to the gateway at this address. */
    serve(gateway) {
      const provider = new Provider(issuer, {
        clients: [{ ...CLIENT, redirect_uris: [`${gateway}/login/staff/callback`] }],
        claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username'] },
        cookies: { keys: ['only for tests'] },
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
        findAccount: (_, id) => ({
          accountId: id,
          claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true, preferred_username: id }),
        }),
        // Nobody is asked whether the gateway may know their address.
        async loadExistingGrant({ oidc }) {
          const { client, session } = oidc
          const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
          grant.addOIDCScope('openid email profile')
          await grant.save()
          return grant
        },
      })
      const own = provider.callback()
      answer = async (request, response) => {
        if (!request.url.startsWith('/interaction/')) return own(request, response)
        if (request.method === 'GET') {
          response.setHeader('content-type', 'text/html')
          return response.end(PAGE)
        }
        let body = ''
        for await (const piece of request.setEncoding('utf8')) body += piece
        const accountId = new URLSearchParams(body).get('login')
        await provider.interactionFinished(request, response, { login: { accountId } })
      }
    },
    stop: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  }
}

const PAGE = `<!doctype html><html lang="en"><title>Example</title><link rel="icon" href="data:,">
<form method="post"><label>Who are you? <input name="login" autofocus></label> <button>Let me in</button></form>`
