// Callers of both eras that speak the protocol themselves, so that what arrives is seen as it is.
//
// Both have the same few words: `ask` sends a request and answers whatever the other side asks back in the way of its
// era, `watch` hears of changes, `leave` sends a request and breaks the connection before the answer.

import { events, signalFor, until } from './wire.mjs'

export const MODERN = '2026-07-28'
export const LEGACY = '2025-11-25'

const PREFIX = 'io.modelcontextprotocol/'
const NAME = { name: 'doorward-matrix', version: '1' }
const BOTH = 'application/json, text/event-stream'

/** What a caller that can be asked everything declares. */
export const ABLE = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } }

/** How a caller answers what it is asked, by method. */
export const ANSWERS = {
  'elicitation/create': ({ mode }) => (mode === 'url' ? { action: 'accept' } : { action: 'accept', content: { name: 'Ada' } }),
  'sampling/createMessage': () => ({
    role: 'assistant',
    content: { type: 'text', text: 'aye' },
    model: 'scripted',
    stopReason: 'endTurn',
  }),
  'roots/list': () => ({ roots: [{ uri: 'file:///home/ada', name: 'home' }] }),
}

/** How often a caller answers questions about one request before it gives up. */
const ROUNDS_MAX = 8

/** A caller of revision 2026-07-28. `capabilities` go with every request. */
export async function modernCaller(url, capabilities = ABLE, answers = ANSWERS) {
  let lastId = 0

  const post = (method, params, { meta = {}, headers = {}, able = capabilities, signal } = {}) => {
    const id = ++lastId
    const name = params.name ?? params.uri ?? params.taskId
    const _meta = { [`${PREFIX}protocolVersion`]: MODERN, [`${PREFIX}clientCapabilities`]: able, [`${PREFIX}clientInfo`]: NAME }
    const sent = { jsonrpc: '2.0', id, method, params: { ...params, _meta: { ..._meta, ...meta } } }
    const mirrored = { 'MCP-Protocol-Version': MODERN, 'Mcp-Method': method, ...(name ? { 'Mcp-Name': name } : {}) }
    const request = fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: BOTH, ...mirrored, ...headers },
      body: JSON.stringify(sent),
      signal: signal ?? signalFor(),
    })
    return { id, request }
  }

  const once = async (method, params, options) => {
    const { id, request } = post(method, params, options)
    const response = await request
    const told = []
    for await (const message of events(response)) {
      if (isAnswer(message, id)) return { status: response.status, ...message, told }
      if (message.id !== undefined && message.method) throw new Error(`asked outside a result: ${message.method}`)
      told.push(message)
    }
    throw new Error(`${method}: the answer never came (HTTP ${response.status})`)
  }

  const caller = {
    era: 'modern',
    async ask(method, params = {}, options = {}) {
      let [more, questions, told] = [{}, [], []]
      for (let round = 0; round < ROUNDS_MAX; round += 1) {
        const answer = await once(method, { ...params, ...more }, options)
        told = told.concat(answer.told)
        if (answer.result?.resultType !== 'input_required') return { ...answer, told, questions }
        const asked = Object.entries(answer.result.inputRequests ?? {})
        questions = questions.concat(asked.map(([, question]) => question))
        const replies = asked.map(([key, { method, params }]) => [key, answers[method](params ?? {})])
        more = { inputResponses: Object.fromEntries(replies) }
        if ('requestState' in answer.result) more.requestState = answer.result.requestState
      }
      throw new Error(`${method}: asked more than ${ROUNDS_MAX} times`)
    },
    /** The capabilities of the server. */
    offer: async () => (await once('server/discover', {})).result.capabilities,
    logging: () => ({ meta: { [`${PREFIX}logLevel`]: 'info' } }),
    progress: (token) => ({ meta: { progressToken: token } }),
    async watch({ uris = [], ...lists }) {
      const wanted = Object.fromEntries(Object.keys(lists).map((list) => [`${list}ListChanged`, true]))
      if (uris.length > 0) wanted.resourceSubscriptions = uris
      const leaving = new AbortController()
      const { id, request } = post('subscriptions/listen', { notifications: wanted }, { signal: leaving.signal })
      const heard = hear(events(await request))
      const first = await heard.next(() => true, 'an acknowledgement')
      if (first.method !== 'notifications/subscriptions/acknowledged') throw new Error(`not acknowledged: ${JSON.stringify(first)}`)
      const next = async (method) => {
        const message = await heard.next((message) => message.method === method, method)
        const about = message.params?._meta?.[`${PREFIX}subscriptionId`]
        if (about !== id) throw new Error(`told about subscription ${about} instead of ${id}`)
        return message
      }
      return { next, all: heard.all, close: () => leaving.abort() }
    },
    /** Sends a request and leaves as soon as `when` has come true. */
    async leave(method, params, when) {
      const leaving = new AbortController()
      const { request } = post(method, params, { signal: leaving.signal })
      request.then((response) => response.text()).catch(() => {})
      await when()
      leaving.abort()
    },
    /** Sends the notification that cancels, as a legacy caller would; returns the status of the answer. */
    async cancel(requestId) {
      const _meta = { [`${PREFIX}protocolVersion`]: MODERN, [`${PREFIX}clientCapabilities`]: capabilities }
      const method = 'notifications/cancelled'
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Accept: BOTH, 'MCP-Protocol-Version': MODERN, 'Mcp-Method': method },
        body: JSON.stringify({ jsonrpc: '2.0', method, params: { requestId, _meta } }),
        signal: signalFor(),
      })
      return { status: response.status, body: await response.text() }
    },
    begin(method, params) {
      const { id, request } = post(method, params)
      const answer = request.then(async (response) => {
        for await (const message of events(response)) if (isAnswer(message, id)) return message
        return undefined
      })
      answer.catch(() => {})
      return { id, answer }
    },
    close: async () => {},
  }
  return caller
}

/** A caller of revision 2025-11-25, with a session. */
export async function legacyCaller(url, capabilities = ABLE, answers = ANSWERS) {
  let lastId = 0
  let session
  const headers = () => ({
    'Content-Type': 'application/json',
    Accept: BOTH,
    ...(session ? { 'Mcp-Session-Id': session, 'MCP-Protocol-Version': LEGACY } : {}),
  })
  const send = (message, signal = signalFor()) =>
    fetch(url, { method: 'POST', headers: headers(), body: JSON.stringify({ jsonrpc: '2.0', ...message }), signal })
  const get = (signal, more = {}) =>
    fetch(url, { headers: { ...headers(), Accept: 'text/event-stream', ...more }, signal })

  /** Reads messages up to the answer, and replies to what is asked meanwhile. */
  const follow = async (id, messages, told, questions) => {
    for await (const message of messages) {
      if (isAnswer(message, id)) return message
      if (message.method && message.id !== undefined) {
        questions.push(message)
        const reply = await send({ id: message.id, result: answers[message.method](message.params ?? {}) })
        if (reply.status !== 202) throw new Error(`the reply was answered with ${reply.status}: ${await reply.text()}`)
      } else if (message.method) told.push(message)
    }
    return undefined
  }

  const once = async (method, params, { meta } = {}) => {
    const id = ++lastId
    const response = await send({ id, method, params: meta ? { ...params, _meta: meta } : params })
    const [told, questions] = [[], []]
    const answer = await follow(id, events(response), told, questions)
    if (!answer) throw new Error(`${method}: the answer never came (HTTP ${response.status})`)
    return { status: response.status, response, ...answer, told, questions }
  }

  const opened = await once('initialize', { protocolVersion: LEGACY, capabilities, clientInfo: NAME })
  if (!opened.result) throw new Error(`initialize: ${JSON.stringify(opened.error)}`)
  session = opened.response.headers.get('mcp-session-id')
  const initialized = await send({ method: 'notifications/initialized' })
  if (initialized.status !== 202) throw new Error(`initialized was answered with ${initialized.status}`)

  return {
    era: 'legacy',
    ask: once,
    offer: async () => opened.result.capabilities,
    logging: () => ({}),
    async level(level) {
      const { error } = await once('logging/setLevel', { level })
      if (error) throw new Error(`logging/setLevel: ${JSON.stringify(error)}`)
    },
    progress: (token) => ({ meta: { progressToken: token } }),
    async watch({ uris = [] }) {
      const leaving = new AbortController()
      const response = await get(leaving.signal)
      if (!response.ok) throw new Error(`GET was answered with ${response.status}: ${await response.text()}`)
      const heard = hear(events(response))
      for (const uri of uris) {
        const { error } = await once('resources/subscribe', { uri })
        if (error) throw new Error(`resources/subscribe: ${JSON.stringify(error)}`)
      }
      const next = (method) => heard.next((message) => message.method === method, method)
      return { next, all: heard.all, close: () => leaving.abort() }
    },
    /** Sends a request and leaves as soon as `when` has come true; returns how to take it up again. */
    async leave(method, params, when) {
      const id = ++lastId
      const leaving = new AbortController()
      const response = await send({ id, method, params }, leaving.signal)
      const seen = { last: undefined }
      const reading = (async () => {
        for await (const _ of events(response, (eventId) => (seen.last = eventId)));
      })()
      reading.catch(() => {})
      await when()
      await until('an event id to resume from', () => seen.last)
      leaving.abort()
      return async () => {
        const resumed = await get(signalFor(), { 'Last-Event-ID': seen.last })
        if (!resumed.ok) throw new Error(`resuming was answered with ${resumed.status}: ${await resumed.text()}`)
        return follow(id, events(resumed), [], [])
      }
    },
    async cancel(requestId) {
      const response = await send({ method: 'notifications/cancelled', params: { requestId, reason: 'enough' } })
      return { status: response.status, body: await response.text() }
    },
    begin(method, params) {
      const id = ++lastId
      const answer = send({ id, method, params }).then((response) => follow(id, events(response), [], []))
      answer.catch(() => {})
      return { id, answer }
    },
    async close() {
      await fetch(url, { method: 'DELETE', headers: headers() })
    },
  }
}

/** Whether a message answers the request. An error about a request that could not be read has no id. */
const isAnswer = (message, id) => !message.method && (message.id === id || (message.error && message.id == null))

/** Collects messages as they come; `next` waits for one that has not been taken yet. */
function hear(messages) {
  const all = []
  const taken = new Set()
  let ended
  ;(async () => {
    for await (const message of messages) all.push(message)
    ended = 'the stream ended'
  })().catch((error) => (ended = error.message))
  const next = (fits, what) =>
    until(what, () => {
      const at = all.findIndex((message, at) => !taken.has(at) && fits(message))
      if (at >= 0) return taken.add(at), all[at]
      if (ended) throw new Error(`${what} never came: ${ended}`)
      return undefined
    })
  return { all, next }
}
