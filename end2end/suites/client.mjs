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

/** Runs them against a gateway; the row has what the suites for servers have. */
export async function clientSuite(gateway) {
  const env = { DOORWARD_URL: gateway.url, DOORWARD_KEY: await gateway.read('driver.key') }
  const row = { way: 'as a client', suite: '0.2.0', passed: 0, failures: 0, failing: {} }
  for (const [scenario, revisions] of Object.entries(SCENARIOS)) {
    for (const revision of revisions) {
      const found = await runClientScenario(scenario, revision, `${process.execPath} ${DRIVER}`, env)
      row.passed += found.passed
      row.failures += found.failures
      Object.assign(row.failing, found.failing)
    }
  }
  return row
}
