// Comparing what held through the gateway with what held directly, and both with the lists that are kept.

/**
 * Compares the rows of a run. `kept` is the list of checks that do not hold yet, by way, suite and `scenario:check`;
 * `impossible` the one of those that cannot hold on a way, by way, suite and reason. Returns what to print, what is
 * wrong, and what is left of `kept`; each row learns how many checks it lost.
 */
export function compare(rows, { kept, impossible, keep }) {
  const lines = []
  const trouble = []
  const left = {}
  for (const row of rows) {
    const known = kept[row.way]?.[row.suite] ?? {}
    const reasons = Object.entries(impossible[row.way]?.[row.suite] ?? {})
    const excused = Object.fromEntries(reasons.flatMap(([reason, checks]) => checks.map((check) => [check, reason])))
    const direct = rows.find(({ way, suite }) => way === 'direct' && suite === row.suite)
    const lost = losses(row, direct)
    const tell = (what) => trouble.push(`${row.way}, ${row.suite}: ${what}`)

    row.lost = Object.keys(lost).length
    lines.push(`${row.way}, ${row.suite}: ${row.passed} passed, ${row.lost} not (${Math.round(row.ms / 1000)} s)`)
    for (const [check, said] of Object.entries(lost)) {
      const mark = check in excused ? 'cannot exist' : check in known ? 'known' : 'NEW'
      lines.push(`    ${mark} ${check}: ${excused[check] ?? said}`)
      if (mark === 'NEW') tell(`${check}: ${said}`)
      if (mark === 'known') ((left[row.way] ??= {})[row.suite] ??= {})[check] = known[check]
    }
    for (const check of Object.keys(excused)) {
      if (!(check in lost)) tell(`${check} holds, although it cannot exist: take it out of impossible.json`)
    }
    for (const check of Object.keys(known)) {
      if (check in lost || keep) continue
      tell(`${check} holds: take it off the list with "cargo xtask keep suites"`)
    }
  }
  return { lines, trouble, left }
}

/** What failed, and what held less often than directly. */
function losses(row, direct) {
  const lost = { ...row.failing }
  for (const [check, times] of Object.entries(direct === row ? {} : (direct?.held ?? {}))) {
    const here = row.held[check] ?? 0
    if (here < times) lost[check] ??= `held ${here} times, directly ${times} times`
  }
  return lost
}
