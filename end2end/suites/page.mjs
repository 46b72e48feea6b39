// The page with what was measured.

import { AS_CLIENT, UNSCORED } from './client.mjs'
import { AS_ISSUER } from './issuer.mjs'
import { SUITES } from './suite.mjs'

const HEAD = `# What the official conformance suites say

The protocol's own suites, \`@modelcontextprotocol/conformance\` 0.2.0-alpha.12 and 0.1.16, run against a fixture built on
\`rmcp\` 3.9.0 and against Doorward with that fixture as its source. Not one check may hold directly and not through the
gateway. It is measured, not promised: \`cargo xtask test suites\` fails when a figure differs from this page, and
\`cargo xtask keep suites\` writes it again.

Figures are checks that hold. *2026-07-28* and *2025-11-25* are what 0.2.0-alpha.12 requires of these revisions, *all* is
everything it has for servers.
`

/** Writes the page. */
export function page(rows, impossible) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  const rule = (cells) => line(cells.map(() => '---'))
  const suites = Object.keys(SUITES)
  const ways = [...new Set(rows.map(({ way }) => way))].filter((way) => way !== AS_CLIENT && way !== AS_ISSUER)
  const shown = (way, suite) => {
    const row = rows.find((row) => row.way === way && row.suite === suite)
    if (!row) return ''
    const excused = Object.values(impossible[way]?.[suite] ?? {}).flat().length
    const wrong = row.lost - excused
    return [row.passed, excused && `${excused} cannot exist`, wrong && `**${wrong} fail**`].filter(Boolean).join(', ')
  }
  const head = ['', ...suites]
  const table = [line(head), rule(head), ...ways.map((way) => line([way, ...suites.map((suite) => shown(way, suite))]))]
  const clients = rows.filter(({ way }) => way === AS_CLIENT)
  const client = clients.map(({ suite }) => `- ${suite.replace('client ', '')}: ${shown(AS_CLIENT, suite)}`)
  const unscored = Object.entries(UNSCORED).map(([scenario, reason]) => `- \`${scenario}\`: ${reason}`)
  const reasons = Object.entries(impossible).flatMap(([way, suites]) =>
    Object.entries(suites).flatMap(([suite, reasons]) => [
      `\n${way[0].toUpperCase()}${way.slice(1)}, ${suite}:\n`,
      ...Object.entries(reasons).map(
        ([reason, checks]) => `- ${reason}:\n${checks.map((check) => `  - \`${check}\``).join('\n')}`,
      ),
    ]),
  )
  return `${HEAD}
## The gateway as a server

${table.join('\n')}

## The gateway as a client

Against the servers of 0.2.0-alpha.12, which a driver makes sources of, signs in to as a person in a browser does, and
whose tools it calls through a preset:

${client.join('\n')}

Not driven, and scored by neither revision:

${unscored.join('\n')}

## The gateway as an issuer

Against the issuer for MCP clients, where a script signs in and agrees, for a client that registered itself:

- authorization: ${shown(AS_ISSUER, 'authorization')}

## What cannot exist
${reasons.join('\n')}
`
}
