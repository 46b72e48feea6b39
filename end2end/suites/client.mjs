// The suite for clients: the gateway is the client, and a driver stands for the people around it.

import { join } from 'node:path'

import { runClientScenario } from './suite.mjs'

const DRIVER = join(import.meta.dirname, 'driver.mjs')

const BOTH = ['2025-11-25', '2026-07-28']
const MODERN = ['2026-07-28']

/** The scenarios that count, and the revisions they are run at. */
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
  'auth/metadata-default': BOTH,
  'auth/metadata-var1': BOTH,
  'auth/metadata-var2': BOTH,
  'auth/metadata-var3': BOTH,
  'auth/basic-cimd': BOTH,
  'auth/scope-from-www-authenticate': BOTH,
  'auth/scope-from-scopes-supported': BOTH,
  'auth/scope-omitted-when-undefined': BOTH,
  'auth/scope-step-up': BOTH,
  'auth/scope-retry-limit': BOTH,
  'auth/token-endpoint-auth-basic': BOTH,
  'auth/token-endpoint-auth-post': BOTH,
  'auth/token-endpoint-auth-none': BOTH,
  'auth/pre-registration': BOTH,
  'auth/resource-mismatch': MODERN,
  'auth/offline-access-scope': MODERN,
  'auth/offline-access-not-supported': MODERN,
  'auth/authorization-server-migration': MODERN,
  'auth/iss-supported': MODERN,
  'auth/iss-not-advertised': MODERN,
  'auth/iss-supported-missing': MODERN,
  'auth/iss-wrong-issuer': MODERN,
  'auth/iss-unexpected': MODERN,
  'auth/iss-normalized': MODERN,
  'auth/metadata-issuer-mismatch': MODERN,
}

/** The scenarios that neither revision scores and that Doorward does not drive, with the reason. */
export const UNSCORED = {
  'auth/client-credentials-jwt': 'an extension: sources sign people in, and no client signs in for itself',
  'auth/client-credentials-basic': 'an extension: sources sign people in, and no client signs in for itself',
  'auth/enterprise-managed-authorization': 'an extension',
  'auth/dpop': 'an extension that is not final',
  'auth/dpop-nonce': 'an extension that is not final',
  'auth/wif-jwt-bearer': 'an extension that is not final',
}

/** The way of this suite: from the gateway to the suite's own servers. */
export const AS_CLIENT = 'as a client'

/** Runs them, or only one, against a gateway; returns a row for each revision, as the suites for servers have them. */
export async function clientSuite(gateway, only) {
  const env = {
    DOORWARD_URL: gateway.url,
    DOORWARD_KEY: await gateway.read('driver.key'),
    DOORWARD_PASSWORD: await gateway.read('ada.password'),
  }
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
