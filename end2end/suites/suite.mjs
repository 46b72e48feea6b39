// Running one official suite and reading what it found.

import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { start } from '../lib/process.mjs'
import { PEERS } from '../lib/programs.mjs'

const program = (name) => join(PEERS, 'npm/node_modules', name, 'dist/index.js')

/** How long a suite may take. What it found until then counts, and that it did not end. */
const SUITE_MS_MAX = 180_000

/** The suites for servers: the package of the version, and what is asked of it. */
export const SUITES = {
  '2026-07-28': { program: program('conformance-2026'), asked: ['--requirements', '2026-07-28'] },
  '2025-11-25': { program: program('conformance-2026'), asked: ['--requirements', '2025-11-25'] },
  all: { program: program('conformance-2026'), asked: ['--suite', 'all'] },
  '0.1.16': { program: program('conformance-2025'), asked: ['--suite', 'all'] },
}

/** Runs a suite for servers against an address, or one scenario of it. */
export function runSuite(name, url, scenario) {
  const { program, asked } = SUITES[name]
  const revision = asked[0] === '--requirements' ? ['--spec-version', asked[1]] : []
  const what = scenario ? ['--scenario', scenario, ...revision] : asked
  return found((folder) => [program, 'server', '--url', url, ...what, '-o', folder])
}

/** Runs one scenario for clients with a command that gets the address of the suite's server. */
export function runClientScenario(scenario, revision, command, env) {
  const asked = ['--scenario', scenario, '--spec-version', revision, '--timeout', '60000']
  return found((folder) => [program('conformance-2026'), 'client', '--command', command, ...asked, '-o', folder], env)
}

/** Runs the suite for issuers; `attend` gets the running suite, and does what it asks a person for. */
export function runAuthorization({ url, client, resource, port }, attend) {
  const asked = ['--url', url, '--client-id', client, '--resource', resource, '--port', String(port)]
  return found((folder) => [program('conformance-2026'), 'authorization', ...asked, '-o', folder], {}, attend)
}

/**
 * Runs a suite to its end. Returns how many checks passed, how many did not, and by name (`scenario:check`) how often
 * one held and what was said about those that did not.
 */
async function found(commandLine, env = {}, attend = async () => {}) {
  const folder = await mkdtemp(join(tmpdir(), 'doorward-suite-'))
  try {
    const suite = start(process.execPath, commandLine(folder), { env: { ...process.env, ...env } })
    const late = setTimeout(() => suite.child.kill('SIGKILL'), SUITE_MS_MAX)
    const [code] = await Promise.all([suite.ended, attend(suite)])
    clearTimeout(late)
    const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('checks.json'))
    if (files.length === 0) throw new Error(`the suite ended with ${code} and no result:\n${suite.output}`)
    const result = { passed: 0, failures: 0, held: {}, failing: {}, output: suite.output }
    if (code === 'SIGKILL') {
      result.failures += 1
      result.failing['the suite:end'] = `it took longer than ${SUITE_MS_MAX / 1000} s`
    }
    for (const file of files.sort()) {
      const checks = JSON.parse(await readFile(join(folder, file), 'utf8'))
      for (const { id, status, errorMessage } of checks) {
        const check = `${scenario(file)}:${id}`
        if (status === 'SUCCESS') {
          result.passed += 1
          result.held[check] = (result.held[check] ?? 0) + 1
        }
        if (status !== 'FAILURE') continue
        result.failures += 1
        result.failing[check] ??= String(errorMessage ?? 'no reason given').slice(0, 160)
      }
    }
    return result
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The scenario's name in `server-tools-list-2026-11-21T10-00-00-000Z/checks.json`. */
function scenario(file) {
  const folder = file.replace(/\/checks\.json$/, '')
  return folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
}
