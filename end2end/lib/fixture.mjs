// The fixture: one MCP server with every feature, in either era, over HTTP or standard input and output.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { start, until } from './process.mjs'

/** The fixture's program. */
export const FIXTURE = process.env.DOORWARD_FIXTURE ?? join(import.meta.dirname, '../../target/debug/fixture')
if (!existsSync(FIXTURE)) throw new Error(`the fixture is missing at ${FIXTURE}: run \`cargo xtask test\``)

const arguments_ = ({ era, matrix }) => ['--era', era, ...(matrix ? ['--matrix', matrix] : [])]

/** Starts it on a free port. */
export async function startFixture(options) {
  const server = start(FIXTURE, arguments_(options))
  const url = await until('the fixture to listen', () => server.output.match(/^http:\S+/m)?.[0])
  return { url, server }
}

/** Its command line as a process that speaks on standard input and output. */
export const fixtureCommand = (options) => [FIXTURE, '--stdio', ...arguments_(options)]
