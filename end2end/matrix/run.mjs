// The matrix: callers of both eras, sources of both eras and every transport, every feature, measured through a real
// gateway and written as a table.
//
// A run fails when the table in the repository differs from what was measured. `--keep` writes the table. With
// `--direct` the same callers go to the sources themselves, which shows that callers and sources are right.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { fixtureCommand, startFixture } from '../lib/fixture.mjs'
import { startGateway } from '../lib/gateway.mjs'
import { stop } from '../lib/process.mjs'
import { legacyCaller, modernCaller } from './callers.mjs'
import { CANNOT, FEATURES, Refused } from './features.mjs'
import { startOldSse } from './old-sse.mjs'
import { table } from './table.mjs'

const PAGE = join(import.meta.dirname, '../../MATRIX.md')
const CALLERS = { modern: modernCaller, legacy: legacyCaller }

/** The sources, in the order of the columns. */
const SOURCES = [
  { name: 'modern-http', era: 'modern', transport: 'streamable HTTP' },
  { name: 'modern-stdio', era: 'modern', transport: 'stdio' },
  { name: 'legacy-http', era: 'legacy', transport: 'streamable HTTP' },
  { name: 'legacy-stdio', era: 'legacy', transport: 'stdio' },
  { name: 'legacy-sse', era: 'legacy', transport: 'HTTP+SSE' },
]

const only = (name) => process.argv.flatMap((word, at) => (word === name ? [process.argv[at + 1]] : []))
const [features, sources] = [only('--feature'), only('--source')]
const direct = process.argv.includes('--direct')

const yaml = JSON.stringify // every JSON value is one of YAML's

const reach = (source) => (source.command ? `kind: mcp_stdio, command: ${yaml(source.command)}` : `kind: mcp_http, url: ${yaml(source.url)}`)

const declared = (sources) => `
version: 1
users:
  - { handle: ada, email: ada@example.org, password_file: ada.password, role: admin, plan: enterprise }
sources:
${sources.map((source) => `  - { owner: ada, name: ${source.name}, ${reach(source)} }`).join('\n')}
presets:
${sources
  .map(({ name }) => `  - { owner: ada, slug: ${name}, visibility: public, anonymous: true, tools: [{ source: ${name}, allow: all, resources: all, prompts: all }] }`)
  .join('\n')}
`

const folder = await mkdtemp(join(tmpdir(), 'doorward-matrix-'))
const cells = []
let gateway
const ends = []

try {
  const wanted = SOURCES.filter(({ name }) => sources.length === 0 || sources.includes(name))
  for (const source of wanted) {
    source.folder = join(folder, source.name)
    await mkdir(source.folder)
    const options = { era: source.era, matrix: source.folder }
    if (source.transport === 'streamable HTTP') {
      const { url, server } = await startFixture(options)
      Object.assign(source, { url })
      ends.push(() => stop(server))
    } else if (source.transport === 'stdio') {
      source.command = fixtureCommand(options)
    } else {
      const { url, close } = await startOldSse(options)
      Object.assign(source, { url })
      ends.push(close)
    }
  }
  if (!direct) gateway = await startGateway({ declared: declared(wanted), files: { 'ada.password': 'correct horse battery\n' } })

  await Promise.all(wanted.map(async (source) => {
    for (const caller of Object.keys(CALLERS)) {
      if (direct && (source.transport !== 'streamable HTTP' || caller !== source.era)) continue
      const url = direct ? source.url : `${gateway.url}/mcp/ada/${source.name}`
      for (const feature of Object.keys(FEATURES)) {
        if (features.length === 0 || features.includes(feature)) cells.push(await measure(feature, caller, source, url))
      }
    }
  }))
} finally {
  const code = await gateway?.stop()
  if (gateway && code !== 0) console.log(`the gateway ended with ${code}:\n${gateway.server.output}`)
  await Promise.all(ends.map((end) => end()))
  await rm(folder, { recursive: true, force: true })
}

/** Tries one feature and says how it went. */
async function measure(feature, caller, source, url) {
  const cell = { feature, caller, source: source.name }
  const opened = []
  const open = async (capabilities) => {
    const one = await CALLERS[caller](url, capabilities)
    opened.push(one)
    return one
  }
  const honest = CANNOT[feature]?.when({ caller, source })
  try {
    const key = `${caller}-${feature.replaceAll(/\W+/g, '-')}`
    await FEATURES[feature]({ caller: await open(), open, key, folder: source.folder })
    cell.outcome = 'works'
  } catch (error) {
    cell.outcome = error instanceof Refused && honest ? 'refused' : 'fails'
    cell.said = error.message.split('\n').filter((line) => line.trim()).slice(0, 4).join(' ').slice(0, 300)
  }
  await Promise.allSettled(opened.map((one) => one.close()))
  return cell
}

const count = (outcome) => cells.filter((cell) => cell.outcome === outcome).length
for (const { feature, caller, source, outcome, said } of cells) {
  if (outcome === 'fails') console.log(`fails: ${feature}, ${caller} caller, ${source}: ${said}`)
}
console.log(`${count('works')} work, ${count('refused')} are refused, ${count('fails')} fail`)

let trouble = count('fails')
if (!direct && features.length + sources.length === 0) {
  const measured = table(cells, SOURCES)
  const recorded = await readFile(PAGE, 'utf8').catch(() => '')
  if (process.argv.includes('--keep')) await writeFile(PAGE, measured)
  // A failure that the table admits is known; what the table does not say is not.
  const lines = (text) => text.split('\n')
  const different = lines(measured).filter((line, at) => line !== lines(recorded)[at])
  for (const line of different) console.log(`not in MATRIX.md: ${line}`)
  trouble = process.argv.includes('--keep') ? 0 : different.length
}
const note = `${count('works')} work, ${count('refused')} refused, ${count('fails')} fail`
if (process.env.DOORWARD_REPORT) {
  const passed = count('works') + count('refused')
  await writeFile(process.env.DOORWARD_REPORT, JSON.stringify({ passed, failed: trouble, note, cells }))
}
process.exit(trouble > 0 ? 1 : 0)
