// The suite for clients: the gateway is the client, and a driver stands for the people around it.

import { join } from 'node:path'

import { runClientScenario } from './suite.mjs'

const DRIVER = join(import.meta.dirname, 'driver.mjs')

/**
 * The scenarios without sign-in, and the revisions they are run at. Those with sign-in need an account at the
 * source's issuer, which Doorward cannot have yet.
 */
const SCENARIOS = {
  initialize: ['2025-11-25'],
  tools_call: ['2025-11-25', '2026-07-28'],
  'elicitation-sep1034-client-defaults': ['2025-11-25'],
  'sse-retry': ['2025-11-25'],
  'request-metadata': ['2026-07-28'],
  'sep-2322-client-request-state': ['2026-07-28'],
  'http-standard-headers': ['2026-07-28'],
  'http-custom-headers': ['2026-07-28'],
  'http-invalid-tool-headers': ['2026-07-28'],
  'json-schema-ref-no-deref': ['2026-07-28'],
  'json-schema-2020-12-preservation': ['2025-11-25', '2026-07-28'],
}

/** The way of this suite: from the gateway to the suite's own servers. */
export const AS_CLIENT = 'as a client'

/** Runs them, or only one, against a gateway; returns a row for each revision, as the suites for servers have them. */
export async function clientSuite(gateway, only) {
  const env = { DOORWARD_URL: gateway.url, DOORWARD_KEY: await gateway.read('driver.key') }
  const rows = {}
  for (const [scenario, revisions] of Object.entries(SCENARIOS)) {
    if (only !== undefined && only !== scenario) continue
    for (const revision of revisions) {
      const begun = Date.now()
      const found = await runClientScenario(scenario, revision, `${process.execPath} ${DRIVER}`, env)
      const empty = { way: AS_CLIENT, suite: `client ${revision}`, ms: 0, passed: 0, failures: 0, held: {}, failing: {}, output: '' }
      const row = (rows[revision] ??= empty)
      row.ms += Date.now() - begun
      row.passed += found.passed
      row.failures += found.failures
      row.output += found.output
      Object.assign(row.held, found.held)
      Object.assign(row.failing, found.failing)
    }
  }
  return Object.values(rows)
}
