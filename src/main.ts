import type { Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';

import { misspelledSettings, readConfig, withoutSecretFiles } from './config.js';
import { describeNearMiss } from './config/near-misses.js';
import { StartupError } from './db/startup-error.js';
import { assertPortIsFree } from './http/connections/port.js';
import { loadProgram, serve } from './server/listening.js';
import { createLog, holdWarningsOfLibraries, logWarningsOfLibraries } from './server/log.js';
import { collectProcessMetrics, serveMetrics } from './server/metrics.js';
import { start } from './server/starting.js';
import { closeNow, stopBySignals } from './server/stopping.js';
import { createClusterMetrics } from './server/workers/cluster-metrics.js';
import { WORKER_ARGUMENT } from './server/workers/messages.js';

/** Starts the server and resolves when it has stopped. */
async function main(): Promise<void> {
  const config = readConfig(process.env, process.cwd());
  const log = createLog({ level: config.LOG_LEVEL, brand: config.TOKEN_BRAND });
  for (const miss of misspelledSettings(process.env)) log.warn({}, describeNearMiss(miss));
  const stopping = stopBySignals();
  const { stopped } = stopping;
  // The reader of the greeting may have closed the pipe.
  process.stdout.on('error', () => undefined);

  // Checks the port before anything is created. Listening begins once requests can be answered.
  await assertPortIsFree(config.HOST, config.PORT);
  const register = new Registry();
  if (config.METRICS_PORT !== undefined) collectProcessMetrics(register);
  const serving = { config, log, register, stopping };
  let metrics: Server | undefined;
  try {
    if (config.WORKERS > 1) {
      const metricsOfAll = createClusterMetrics(register);
      metrics = await serveMetrics(config, metricsOfAll);
      const env = withoutSecretFiles(process.env, process.cwd());
      const options = { env, entry: fileURLToPath(import.meta.url), metrics: metricsOfAll };
      await start(serving, async (...instance) => {
        logWarningsOfLibraries(log);
        const { serveByWorkers } = await import('./server/workers/primary.js');
        await serveByWorkers(options, ...instance);
      });
    } else {
      metrics = await serveMetrics(config, register);
      await start(serving, serve, async () => {
        holdWarningsOfLibraries();
        // If that fails, so does `serve`.
        await loadProgram().catch(() => undefined);
      });
    }
  } catch (error) {
    // Stopped while starting: everything that was open is closed.
    if (!stopped.aborted || error !== stopped.reason) throw error;
    log.info({}, 'stopped before it was ready');
  } finally {
    if (metrics !== undefined) closeNow(metrics);
  }
}

const isWorker = process.argv.includes(WORKER_ARGUMENT);

/** Serves the connections that the primary process accepts. */
async function work(): Promise<void> {
  const { serveAsWorker } = await import('./server/workers/worker.js');
  await serveAsWorker();
}

await (isWorker ? work() : main()).catch((error: unknown) => {
  process.stderr.write(
    error instanceof StartupError ? `${error.message}\n` : `${(error as Error).stack}\n`,
  );
  process.exitCode = 1;
});
// The channel to the primary process would keep a worker running.
if (isWorker) process.exit();
