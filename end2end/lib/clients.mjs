// What flows ask of a preset by a real client.

import { CLIENTS } from '../peers/clients.mjs'

/** Opens a session, hands it to `use`, and closes it whatever happens. */
export async function withSession({ address, key }, use) {
  const session = await CLIENTS['npm client 2.4, auto'].open({ url: address, key })
  try {
    return await use(session)
  } finally {
    await session.close()
  }
}

/** The tools of a preset. */
export const toolsOf = (to) => withSession(to, (session) => session.list())

/** Calls a tool. */
export const callTool = (to, name, args = {}) => withSession(to, (session) => session.call(name, args))
