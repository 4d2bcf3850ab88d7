import type PgBoss from 'pg-boss';
import type { EntityManager } from 'typeorm';

import { rawQuery } from './raw-query.js';
import type { DueWebhook } from './due-store.js';

/** A job: deliver what is due to a webhook. */
export interface Job {
  readonly id: string;
  readonly webhookId: string;
}

/** The jobs of all replicas. A job whose process has ended is given out again (decision 31). */
export interface Queue {
  /** Adds a job for each webhook that has none waiting. Jobs of webhooks that fail are given out last. */
  add(webhooks: readonly DueWebhook[]): Promise<void>;
  take(limit: number): Promise<readonly Job[]>;
  complete(job: Job): Promise<void>;
  /** Gives the job out again, a little later. */
  fail(job: Job): Promise<void>;
  /** Gives out jobs of processes that have ended again, and deletes completed ones. */
  maintain(): Promise<void>;
}

/** Created by a migration. */
const NAME = 'webhooks';
const DELETED_AFTER_MINUTES = 10;

/** Uses the library's functions by our own connections. It neither migrates nor runs timers of its own. */
export function createQueue(manager: EntityManager): Queue {
  let opened: Promise<PgBoss> | undefined;
  const boss = () => (opened ??= openBoss(manager));
  return {
    async add(webhooks) {
      if (webhooks.length === 0) return;
      const jobs = webhooks.map(({ id, isFailing }) => ({
        name: NAME,
        data: { webhook: id },
        singletonKey: id,
        priority: isFailing ? 0 : 1,
      }));
      await (await boss()).insert(jobs);
    },
    async take(limit) {
      const jobs = await (await boss()).fetch<{ webhook: string }>(NAME, { batchSize: limit });
      return jobs.map(({ id, data }) => ({ id, webhookId: data.webhook }));
    },
    complete: async ({ id }) => (await boss()).complete(NAME, id),
    fail: async ({ id }) => (await boss()).fail(NAME, id),
    maintain: async () => (await boss()).maintain(),
  };
}

/** Loads the library at the first job, because a start does not need it (decision 39). */
async function openBoss(manager: EntityManager): Promise<PgBoss> {
  const { default: Boss } = await import('pg-boss');
  return new Boss({
    db: { executeSql: rawQuery(manager) },
    schema: 'public',
    migrate: false,
    supervise: false,
    schedule: false,
    archiveCompletedAfterSeconds: DELETED_AFTER_MINUTES * 60,
    deleteAfterMinutes: DELETED_AFTER_MINUTES,
  });
}
