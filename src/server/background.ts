import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import type { App } from '../app.js';
import type { BackgroundWork } from '../db/background-work.js';
import type { Mail } from '../mail/index.js';
import { runCleanup } from './cleanup.js';
import type { Config } from '../config.js';
import {
  type Keyring,
  REFRESHED_WITHIN_SECONDS,
  resealUnderCurrentKey,
} from '../credentials/index.js';
import { resealWebhooks, type WebhookDelivery } from '../webhooks/index.js';
import type { SigningKeys } from '../signing-keys/index.js';

/** Last use must be visible within ten seconds. */
const FLUSH_EVERY_MS = 7000;
const CLEANUP_EVERY_MS = 60_000;
/** Cleanups from one that looks at whole tables to the next: an hour. */
const CLEANUPS_AN_HOUR = 60;
/** Bounds how long replicas use signing keys and prefixes of imported keys that have changed. */
const REFRESH_EVERY_MS = REFRESHED_WITHIN_SECONDS * 1000;
const SYNC_BUDGETS_EVERY_MS = 1000;
const SEND_MAIL_EVERY_MS = 2000;
const SEND_EVENTS_EVERY_MS = 1000;

interface ProcessWork {
  readonly app: Pick<App, 'activity' | 'budgets' | 'prefixes' | 'work'>;
  readonly signingKeys: SigningKeys;
  readonly log: Logger;
}

/**
 * Starts the background work of a process that answers requests.
 * @returns a function that stops it and flushes pending writes
 */
export function startProcessWork({ app, signingKeys, log }: ProcessWork): () => Promise<void> {
  const timers = [
    setInterval(() => void app.activity.flush(), FLUSH_EVERY_MS),
    setInterval(() => void refreshSigningKeys(app, signingKeys, log), REFRESH_EVERY_MS),
    setInterval(() => void refreshPrefixes(app, log), REFRESH_EVERY_MS),
    setInterval(() => void app.budgets.sync(), SYNC_BUDGETS_EVERY_MS),
  ];
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all([app.activity.flush(), app.budgets.sync()]);
  };
}

interface SharedWork {
  readonly config: Pick<Config, 'AUDIT_RETENTION_DAYS'>;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly work: BackgroundWork;
  readonly mail: Pick<Mail, 'deliver'>;
  readonly webhooks: Pick<WebhookDelivery, 'tick'>;
  readonly log: Logger;
  /** Stops a running cleanup. */
  readonly signal: AbortSignal;
}

/**
 * Starts the background work that one process does for all workers. Safe to run on several replicas at once.
 * @returns a function that stops it
 */
export function startSharedWork(dependencies: SharedWork): () => void {
  let cleanups = 0;
  const timers = [
    setInterval(() => {
      void cleanUp(dependencies, cleanups % CLEANUPS_AN_HOUR === 0);
      cleanups += 1;
    }, CLEANUP_EVERY_MS),
    setInterval(() => void dependencies.mail.deliver(), SEND_MAIL_EVERY_MS),
    setInterval(() => void dependencies.webhooks.tick(), SEND_EVENTS_EVERY_MS),
  ];
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}

async function cleanUp(dependencies: SharedWork, isHourly: boolean): Promise<void> {
  const { config, dataSource, keyring, work, log, signal } = dependencies;
  const retention = { auditRetentionDays: config.AUDIT_RETENTION_DAYS };
  try {
    await work.run('cleanup', async () => {
      await runCleanup(dataSource, signal, retention, work.countDeleted, isHourly);
      await resealUnderCurrentKey(dataSource.manager, keyring, signal);
      await resealWebhooks(dataSource.manager, keyring, signal);
    });
  } catch (error) {
    log.warn({ err: error }, 'the cleanup failed');
  }
}

async function refreshSigningKeys(
  { work }: Pick<App, 'work'>,
  signingKeys: SigningKeys,
  log: Logger,
): Promise<void> {
  try {
    if (await work.run('signing_keys', () => signingKeys.refresh()))
      log.info({}, 'the signing keys changed');
  } catch (error) {
    log.warn({ err: error }, 'the signing keys could not be read; the last ones stay in use');
  }
}

async function refreshPrefixes(
  { prefixes, work }: Pick<App, 'prefixes' | 'work'>,
  log: Logger,
): Promise<void> {
  try {
    await work.run('imported_prefixes', () => prefixes.refresh());
  } catch (error) {
    log.warn(
      { err: error },
      'the prefixes of imported keys could not be read; the known ones stay',
    );
  }
}
