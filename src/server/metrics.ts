import type { RequestListener, Server } from 'node:http';
import { collectDefaultMetrics, type Registry } from 'prom-client';

import type { Config } from '../config.js';
import { createBoundedServer, listen } from '../http/connections/server.js';
import { registerBuildInfo } from './build-info.js';

const MAX_CONNECTIONS = 100;

/** How the figures of several processes become one, where their sum or mean would mislead. */
const AGGREGATORS: readonly (readonly [metric: string, aggregator: string])[] = [
  // The process that lags most counts.
  ...['p50', 'p90', 'p99', 'max'].map(
    (name) => [`nodejs_eventloop_lag_${name}_seconds`, 'max'] as const,
  ),
  // The primary process starts first.
  ['process_start_time_seconds', 'min'],
];

/** Registers the figures of this process: its build, processor time, memory and event loop. */
export function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register });
  for (const [name, aggregator] of AGGREGATORS) {
    Object.assign(register.getSingleMetric(name) ?? {}, { aggregator });
  }
  registerBuildInfo(register);
}

/** Serves the metrics at `METRICS_PORT`, if it is set. */
export async function serveMetrics(
  config: Config,
  source: Pick<Registry, 'contentType' | 'metrics'>,
): Promise<Server | undefined> {
  if (config.METRICS_PORT === undefined) return undefined;
  // Many who ask at once share one text.
  let text: Promise<string> | undefined;
  const read = () => {
    text ??= source.metrics().finally(() => (text = undefined));
    return text;
  };
  const answer: RequestListener = (request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    return void read().then(
      (body) => response.writeHead(200, { 'Content-Type': source.contentType }).end(body),
      () => response.writeHead(500).end(),
    );
  };
  const server = createBoundedServer(answer, { maxConnections: MAX_CONNECTIONS });
  return listen(server, config.HOST, config.METRICS_PORT);
}
