// The page with what was measured.

import { CANNOT, FEATURES } from './features.mjs'

const HEAD = `# What works between which eras

Doorward terminates both sides, so callers and sources need not speak the same revision of the protocol or the same
transport. This table says what arrives. It is measured, not promised: \`cargo xtask test matrix\` starts a real gateway,
sources of every kind and callers that look at each byte, and fails when a cell differs from this page;
\`cargo xtask keep matrix\` writes it again.

- *modern* is revision 2026-07-28, *legacy* is 2025-11-25 with its handshake and sessions. Callers come over streamable
  HTTP; sources are reached over streamable HTTP, as a process, or over the HTTP+SSE of 2024-11-05, which has no modern form.
- **works**: the caller gets what it would get from a source of its own era. **refused**: the two ends have nothing in
  common here, and the caller is told so (below). **fails**: it should work and does not yet.
- Leaving in the middle of a call cancels it at the source for a modern caller. For a legacy one it must not: there,
  *works* means that the call goes on and its answer can be had later.
`

/** Writes the page. */
export function table(cells, sources) {
  const notes = []
  const note = (text) => {
    if (!notes.includes(text)) notes.push(text)
    return notes.indexOf(text) + 1
  }
  const shown = (feature, caller, source) => {
    const { outcome, said } = cells.find((cell) => cell.feature === feature && cell.caller === caller && cell.source === source)
    return outcome === 'refused' ? `refused (${note(`${feature}: ${said}`)})` : outcome === 'fails' ? '**fails**' : 'works'
  }
  const tables = ['modern', 'legacy'].map((caller) => {
    const columns = sources.map(({ era, transport }) => `${era}, ${transport}`)
    const rows = Object.keys(FEATURES).map((feature) => [feature, ...sources.map(({ name }) => shown(feature, caller, name))])
    const line = (cells) => `| ${cells.join(' | ')} |`
    const head = [['feature', ...columns], ['---', ...columns.map(() => '---')]]
    return `\n## A ${caller} caller\n\n${[...head, ...rows].map(line).join('\n')}\n`
  })
  const seen = notes.map((text, at) => `${at + 1}. ${text}`)
  const why = Object.entries(CANNOT).map(([feature, { why }]) => `- ${feature}: ${why}.`)
  return `${HEAD}${tables.join('')}\n## What a refused caller sees\n\n${seen.join('\n')}\n\n## Why\n\n${why.join('\n')}\n`
}
