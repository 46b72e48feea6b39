// The official conformance suites, against the fixture itself and against a gateway in front of it.
//
// Not one check may hold directly and not through the gateway. Checks that do not yet are in `failing.json`, a list
// that may only shrink: with `--keep` those that hold now are taken out, nothing is ever put in. What cannot exist on
// a way, because the source's era has no such thing, is in `impossible.json` with its reason; an entry that holds
// after all is trouble as well.
//
// While something is looked for, one way, one suite and one scenario can be run alone, and nothing is compared:
//
//     node end2end/suites/run.mjs --way through --suite 2026-07-28 --scenario caching

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { startFixture } from '../lib/fixture.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { AS_CLIENT, clientSuite } from './client.mjs'
import { compare } from './compare.mjs'
import { AS_ISSUER, issuerSuite } from './issuer.mjs'
import { page } from './page.mjs'
import { SUITES, runSuite } from './suite.mjs'

const { values: only } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    way: { type: 'string' },
    suite: { type: 'string' },
    scenario: { type: 'string' },
  },
})
const isPart = only.way !== undefined || only.suite !== undefined || only.scenario !== undefined

/** Each way to a source: which one stands behind the gateway (none when asked directly), and the suites that go it. */
const WAYS = {
  direct: { suites: Object.keys(SUITES) },
  through: { source: 'both', suites: Object.keys(SUITES) },
  'through, source modern only': { source: 'modern', suites: ['2025-11-25', '2026-07-28', '0.1.16'] },
  'through, source legacy only': { source: 'legacy', suites: ['2025-11-25', '2026-07-28', '0.1.16'] },
}

const ADA = { handle: 'ada', password: 'correct horse battery' }

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
  gateway = await startGateway({ declared: declared(urls), files: { 'ada.password': `${ADA.password}\n` } })

  const address = (source) => (source ? `${gateway.url}/mcp/ada/${source}` : alone.url)
  const ways = Object.entries(WAYS).map(async ([way, { source, suites }]) => {
    if (only.way !== undefined && only.way !== way) return
    for (const suite of suites) {
      if (only.suite !== undefined && only.suite !== suite) continue
      const begun = Date.now()
      const found = await runSuite(suite, address(source), only.scenario)
      rows.push({ way, suite, ms: Date.now() - begun, ...found })
    }
  })
  if (only.way === undefined ? only.suite === undefined : only.way === AS_ISSUER) {
    ways.push(issuerSuite(gateway, address('both'), ADA).then((row) => rows.push(row)))
  }
  const asClient = only.way === undefined ? only.suite === undefined : only.way === AS_CLIENT
  if (asClient) ways.push(clientSuite(gateway, only.scenario).then((found) => rows.push(...found)))
  await Promise.all(ways)
} finally {
  if (gateway) assert.equal(await gateway.stop(), 0, gateway.server.output)
  await Promise.all(Object.values(fixtures).map(({ server }) => stop(server)))
}

const order = [...Object.keys(WAYS), AS_CLIENT, AS_ISSUER]
rows.sort((one, other) => order.indexOf(one.way) - order.indexOf(other.way))

if (isPart) {
  for (const { way, suite, passed, failing, output } of rows) {
    console.log(output)
    console.log(`${way}, ${suite}: ${passed} passed`)
    for (const [check, said] of Object.entries(failing)) console.log(`    ${check}: ${said}`)
  }
  process.exit(rows.some(({ failures }) => failures > 0) ? 1 : 0)
}

const list = (name) => join(import.meta.dirname, name)
const kept = await readFile(list('failing.json'), 'utf8').then(JSON.parse)
const impossible = await readFile(list('impossible.json'), 'utf8').then(JSON.parse)
const { lines, trouble, left } = compare(rows, { kept, impossible, keep: only.keep })
for (const line of lines) console.log(line)
const PAGE = join(import.meta.dirname, '../../SUITES.md')
const measured = page(rows, impossible)
if (only.keep) {
  await writeFile(list('failing.json'), `${JSON.stringify(left, null, 2)}\n`)
  await writeFile(PAGE, measured)
} else if ((await readFile(PAGE, 'utf8').catch(() => '')) !== measured) {
  trouble.push('the figures are not those of SUITES.md: write it again with "cargo xtask keep suites"')
}

for (const line of trouble) console.log(`trouble: ${line}`)
const note = rows.map(({ way, suite, passed, failures }) => `${way} ${suite} ${passed}/${failures}`).join('; ')
const passed = rows.reduce((sum, row) => sum + row.passed, 0)
const told = rows.map(({ output, held, ...row }) => row)
await writeFile(process.env.DOORWARD_REPORT, JSON.stringify({ passed, failed: trouble.length, note, rows: told }))
process.exit(trouble.length > 0 ? 1 : 0)
