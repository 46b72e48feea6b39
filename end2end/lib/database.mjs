// Changes to the SQLite database of a running program that no page makes.

import { DatabaseSync } from 'node:sqlite'

/** Runs one statement, waiting while the program writes. */
export function change(path, statement, ...values) {
  const database = new DatabaseSync(path, { timeout: 10_000 })
  try {
    database.prepare(statement).run(...values)
  } finally {
    database.close()
  }
}
