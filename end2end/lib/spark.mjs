// A real Spark History Server over the event logs of this repository.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { start, stop, until } from './process.mjs'
import { PEERS } from './programs.mjs'

const EVENTS = join(import.meta.dirname, '../../server/tests/spark-events/events')
/** How many logs there are. */
const LOGS = 9
/** It takes 8 s on a quiet machine. */
const PATIENCE_MS = 240_000

/** The application in which one task has most of the work. */
export const SKEWED = 'local-1795233963183'

/** Starts one that has read all its logs. */
export async function startSpark() {
  const home = await sparkHome()
  const folder = await mkdtemp(join(tmpdir(), 'doorward-spark-'))
  const settings = join(folder, 'hs.conf')
  await writeFile(
    settings,
    `spark.history.fs.logDirectory file://${EVENTS}\nspark.history.ui.port 0\nspark.history.fs.update.interval 1h\n`,
  )
  const env = {
    ...process.env,
    SPARK_HOME: home,
    SPARK_LOCAL_IP: '127.0.0.1',
    SPARK_DAEMON_MEMORY: '512m',
    SPARK_LOCAL_DIRS: folder,
    SPARK_DAEMON_JAVA_OPTS: `-Djava.io.tmpdir=${folder}`,
  }
  const server = start(
    join(home, 'bin/spark-class'),
    ['org.apache.spark.deploy.history.HistoryServer', '--properties-file', settings],
    { cwd: folder, env },
  )
  const ready = () => {
    const port = server.output.match(/and started at \S+:(\d+)/)?.[1]
    return server.output.split('Finished parsing').length > LOGS && port
  }
  const ended = server.ended.then((code) => Promise.reject(new Error(`Spark ended with ${code}:\n${server.output}`)))
  ended.catch(() => {})
  const port = await Promise.race([until('the history server to have read its logs', ready, PATIENCE_MS), ended])
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await stop(server)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function sparkHome() {
  const lib = join(PEERS, 'spark/lib')
  const [python] = (await readdir(lib).catch(() => [])).filter((name) => name.startsWith('python'))
  if (!python) throw new Error(`no Spark in ${lib}: run \`cargo xtask test install\``)
  return join(lib, python, 'site-packages/pyspark')
}
