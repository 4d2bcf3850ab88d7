import type { Server } from 'node:http';
import { Registry } from 'prom-client';

import { misspelledSettings, readConfig } from './config.js';
import { describeNearMiss } from './config/near-misses.js';
import { StartupError } from './db/startup-error.js';
import { assertPortIsFree } from './http/connections/port.js';
import { serveMetrics } from './server/listening.js';
import { createLog } from './server/log.js';
import { start } from './server/starting.js';
import { closeNow, stopBySignals } from './server/stopping.js';

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
  let metrics: Server | undefined;
  try {
    metrics = await serveMetrics(config, register);
    await start({ config, log, register, stopping });
  } catch (error) {
    // Stopped while starting: everything that was open is closed.
    if (!stopped.aborted || error !== stopped.reason) throw error;
    log.info({}, 'stopped before it was ready');
  } finally {
    if (metrics !== undefined) closeNow(metrics);
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(
    error instanceof StartupError ? `${error.message}\n` : `${(error as Error).stack}\n`,
  );
  process.exitCode = 1;
});
