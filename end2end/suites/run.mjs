// The official conformance suites, against the fixture itself and against a gateway in front of it.
//
// Not one check may hold directly and not through the gateway. Checks that do not yet are in `failing.json`, a list
// that may only shrink: with `--keep` those that hold now are taken out, nothing is ever put in.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { startFixture } from '../lib/fixture.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { clientSuite } from './client.mjs'
import { SUITES, runSuite } from './suite.mjs'

const LIST = join(import.meta.dirname, 'failing.json')

/** Each way to a source: which one stands behind the gateway (none when asked directly), and the suites that go it. */
const WAYS = {
  direct: { suites: Object.keys(SUITES) },
  through: { source: 'both', suites: Object.keys(SUITES) },
  'through, source modern only': { source: 'modern', suites: ['2025-11-25', '0.1.16'] },
  'through, source legacy only': { source: 'legacy', suites: ['2026-07-28'] },
}

const declared = (urls) => `
version: 1
users:
  - { handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: enterprise }
sources:
${Object.entries(urls)
  .map(([era, url]) => `  - { owner: ada, name: ${era}, kind: mcp_http, url: "${url}" }`)
  .join('\n')}
presets:
${Object.keys(urls)
  .map((era) => `  - { owner: ada, slug: ${era}, visibility: public, anonymous: true, tools: [{ source: ${era}, allow: all, resources: all, prompts: all }] }`)
  .join('\n')}
keys:
  - { owner: ada, name: driver, secret_file: driver.key }
`

const fixtures = {}
let gateway
const rows = []

try {
  for (const era of ['both', 'modern', 'legacy']) fixtures[era] = await startFixture({ era })
  const alone = await startFixture({ era: 'both' })
  fixtures.alone = alone
  const urls = Object.fromEntries(['both', 'modern', 'legacy'].map((era) => [era, fixtures[era].url]))
  gateway = await startGateway({ declared: declared(urls), files: { 'ada.password': 'correct horse battery\n' } })

  const address = (source) => (source ? `${gateway.url}/mcp/ada/${source}` : alone.url)
  const ways = Object.entries(WAYS).map(async ([way, { source, suites }]) => {
    for (const suite of suites) rows.push({ way, suite, ...(await runSuite(suite, address(source))) })
  })
  await Promise.all([...ways, clientSuite(gateway).then((row) => rows.push(row))])
} finally {
  if (gateway) assert.equal(await gateway.stop(), 0, gateway.server.output)
  await Promise.all(Object.values(fixtures).map(({ server }) => stop(server)))
}

const kept = await readFile(LIST, 'utf8').catch(() => undefined)
const recorded = JSON.parse(kept ?? '{}')
// Only a list that does not exist yet takes what fails now.
const keep = process.argv.includes('--keep')
const first = keep && kept === undefined
const trouble = []
const ways = [...Object.keys(WAYS), 'as a client']
rows.sort((one, other) => ways.indexOf(one.way) - ways.indexOf(other.way))
for (const row of rows) {
  const direct = rows.find(({ way, suite }) => way === 'direct' && suite === row.suite)
  const known = recorded[row.way]?.[row.suite] ?? {}
  const failing = Object.keys(row.failing)
  row.lost = failing.filter((check) => !(check in known))
  row.won = Object.keys(known).filter((check) => !failing.includes(check))
  console.log(`${row.way}, ${row.suite}: ${row.passed} passed, ${failing.length} failing (${row.failures} failures)`)
  for (const check of failing) console.log(`    ${check in known ? 'known' : 'NEW  '} ${check}: ${row.failing[check]}`)
  for (const check of row.won) console.log(`    holds now: ${check}`)
  if (direct && row !== direct && failing.length === 0 && row.passed < direct.passed) {
    row.lost.push(`${direct.passed - row.passed} checks are missing`)
  }
  if (first) continue
  for (const check of row.lost) trouble.push(`${row.way}, ${row.suite}: ${check}`)
}

if (keep) {
  const next = {}
  for (const row of rows) {
    const known = recorded[row.way]?.[row.suite] ?? {}
    const left = Object.entries(row.failing).filter(([check]) => first || check in known)
    // The fixture itself has to pass everything.
    if (left.length === 0 || row.way === 'direct') continue
    next[row.way] ??= {}
    next[row.way][row.suite] = Object.fromEntries(left.map(([check, said]) => [check, known[check] ?? said]).sort())
  }
  await writeFile(LIST, `${JSON.stringify(next, null, 2)}\n`)
} else {
  for (const row of rows) {
    for (const check of row.won) trouble.push(`${row.way}, ${row.suite}: ${check} holds: take it off the list with "cargo xtask keep suites"`)
  }
}

for (const line of trouble) console.log(`trouble: ${line}`)
const note = rows.map(({ way, suite, passed, failures }) => `${way} ${suite} ${passed}/${failures}`).join('; ')
const passed = rows.reduce((sum, row) => sum + row.passed, 0)
await writeFile(process.env.DOORWARD_REPORT, JSON.stringify({ passed, failed: trouble.length, note, rows }))
process.exit(trouble.length > 0 ? 1 : 0)
