import type { Logger } from 'pino';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { EntityManager } from 'typeorm';

import type { Keyring } from '../credentials/index.js';
import type { BackgroundWork } from '../db/background-work.js';
import type { Outbound } from '../outbound/index.js';
import { createDeliverer } from './deliverer.js';
import { backlogSeconds, createClaims } from './due-store.js';
import { fanOut } from './fan-out.js';
import { createQueue, type Job } from './queue.js';

/** Sends events to webhooks, for all workers of a replica. */
export interface WebhookDelivery {
  /** Adds what is new, and starts what is due. To be called every second. Never throws. */
  tick(): Promise<void>;
  /** Resolves when the deliveries that were started have ended. */
  settled(): Promise<void>;
}

interface Dependencies {
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly outbound: Outbound;
  readonly log: Logger;
  readonly work: BackgroundWork;
  readonly register: Registry;
  /** Ends running deliveries. */
  readonly signal: AbortSignal;
}

/** Webhooks at a time, of this replica. */
const MAX_PARALLEL = 100;
const MAINTAIN_EVERY_MS = 30_000;

export function createWebhookDelivery(dependencies: Dependencies): WebhookDelivery {
  const { manager, log, work, signal } = dependencies;
  const metrics = createMetrics(dependencies.register);
  const queue = createQueue(manager);
  const claims = createClaims(manager);
  const deliver = createDeliverer({ ...dependencies, onAttempt: metrics.countAttempt });
  const active = new Set<Promise<void>>();
  let maintainedAt = -Infinity;
  let running: Promise<void> | undefined;
  const onLost = () =>
    log.warn({}, 'the database was restored: webhooks get events from now on only');

  async function perform(job: Job): Promise<void> {
    try {
      await deliver(job.webhookId);
      await queue.complete(job);
    } catch (error) {
      if (signal.aborted) return;
      log.warn(
        { err: error, webhook: job.webhookId },
        'events could not be delivered; they are kept',
      );
      await queue.fail(job).catch(() => undefined);
    }
  }

  async function look(): Promise<void> {
    await fanOut(manager, onLost);
    await queue.add(await claims.dueWebhooks());
    if (performance.now() - maintainedAt > MAINTAIN_EVERY_MS) {
      maintainedAt = performance.now();
      await queue.maintain();
      metrics.setBacklog(await backlogSeconds(manager));
    }
    const free = MAX_PARALLEL - active.size;
    if (free === 0 || signal.aborted) return;
    for (const job of await queue.take(free)) {
      const delivery = perform(job).finally(() => active.delete(delivery));
      active.add(delivery);
    }
  }

  return {
    async tick() {
      if (signal.aborted) return;
      running ??= work
        .run('webhooks', look)
        .catch((error: unknown) =>
          log.warn({ err: error }, 'events could not be sent; they are kept'),
        )
        .finally(() => (running = undefined));
      await running;
    },
    async settled() {
      await Promise.all(active);
    },
  };
}

function createMetrics(register: Registry) {
  const attempts = new Counter({
    name: 'gatehouse_webhook_attempts_total',
    help: 'Attempts to deliver an event to a webhook, by outcome.',
    labelNames: ['outcome'] as const,
    registers: [register],
  });
  for (const outcome of ['success', 'failure']) attempts.inc({ outcome }, 0);
  const backlog = new Gauge({
    name: 'gatehouse_webhook_backlog_age_seconds',
    help: 'Age of the oldest event that waits for its delivery, every 30 seconds; 0 without any.',
    registers: [register],
    aggregator: 'max',
  });
  return {
    countAttempt: (isSuccess: boolean) =>
      attempts.inc({ outcome: isSuccess ? 'success' : 'failure' }),
    setBacklog: (seconds: number) => backlog.set(seconds),
  };
}

export { cleanDeliveries, type Delivery } from './delivery-store.js';
export { presentDelivery, presentWebhook } from './presenter.js';
export { resealWebhooks } from './reseal.js';
export {
  deliveryAnswer,
  newWebhook,
  redelivery,
  webhookAnswer,
  webhookChange,
  webhookRotation,
} from './webhook-schema.js';
export {
  createWebhookService,
  type IssuedWebhook,
  type WebhookService,
} from './webhook-service.js';
export type { Webhook } from './webhook-store.js';
