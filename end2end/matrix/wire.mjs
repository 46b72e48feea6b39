// Bytes of HTTP answers as messages, and patience.

import { until as eventually } from '../lib/process.mjs'

/** How long one step of a cell may take. */
export const PATIENCE_MS = 15_000

/** Ends a request that takes longer than a step may. */
export const signalFor = () => AbortSignal.timeout(PATIENCE_MS)

/** Waits until `probe` returns something. */
export const until = (what, probe) => eventually(what, probe, PATIENCE_MS)

/** The messages of an answer, be it one JSON value or a stream of events. `onId` hears the events' ids. */
export async function* events(response, onId = () => {}) {
  const type = response.headers.get('content-type') ?? ''
  if (!type.includes('text/event-stream')) {
    const text = await response.text()
    if (!text) return
    let message
    try {
      message = JSON.parse(text)
    } catch {
      throw new Error(`HTTP ${response.status} with no message: ${text.slice(0, 200)}`)
    }
    yield message
    return
  }
  let rest = ''
  const text = response.body.pipeThrough(new TextDecoderStream())
  for await (const piece of text) {
    rest += piece
    const blocks = rest.split(/\r?\n\r?\n/)
    rest = blocks.pop()
    for (const block of blocks) {
      const lines = block.split(/\r?\n/)
      const id = lines.find((line) => line.startsWith('id:'))
      if (id) onId(id.slice(3).trim())
      const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).replace(/^ /, ''))
      if (data.join('')) yield JSON.parse(data.join('\n'))
    }
  }
}
