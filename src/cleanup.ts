import type { DataSource } from 'typeorm';

import { deleteUnusedClients } from './clients/client-cleanup.js';
import { BUDGET_WINDOWS } from './credentials/budgets.js';
import { deleteExpiredRevocations } from './credentials/revocation-store.js';
import { DEFAULT_RETENTION, maintainPartitions, type Retention } from './db/partitions.js';
import { eraseExpiredAnswers, deleteEndedGrants } from './grants/grant-cleanup.js';
import { createAttemptStore } from './http/attempts.js';
import { deleteExpiredResponses } from './http/idempotency.js';
import { deleteExpiredRateWindows } from './http/rate-window-store.js';
import { deleteExpiredInteractions } from './oauth/interaction-store.js';
import { deleteExpiredSessions } from './sessions/session-store.js';
import { deleteEndedKeys } from './signing-keys/signing-key-store.js';

type Step = (dataSource: DataSource, signal: AbortSignal, retention: Retention) => Promise<void>;

/** Deletes expired rows. Safe to run on several replicas at once. */
const STEPS: readonly Step[] = [
  (dataSource, _signal, retention) => maintainPartitions(dataSource, retention),
  ({ manager }, signal) => deleteExpiredResponses(manager, signal),
  ({ manager }, signal) => eraseExpiredAnswers(manager, signal),
  ({ manager }, signal) => deleteExpiredSessions(manager, signal),
  ({ manager }, signal) => deleteExpiredInteractions(manager, signal),
  ({ manager }) => createAttemptStore(manager).deleteExpired(),
  ({ manager }) => deleteEndedKeys(manager),
  ({ manager }, signal) => deleteExpiredRateWindows(manager, BUDGET_WINDOWS, signal),
  // Grants first, because a revocation is kept as long as its grant.
  ({ manager }, signal) => deleteEndedGrants(manager, signal),
  ({ manager }, signal) => deleteExpiredRevocations(manager, signal),
  ({ manager }, signal) => deleteUnusedClients(manager, signal),
];

/**
 * Runs every step, also after one has failed. To be called every minute.
 *
 * @param signal stops after the current statement
 * @param retention how long the audit log is kept
 * @throws AggregateError with the errors of all steps that failed
 */
export async function runCleanup(
  dataSource: DataSource,
  signal: AbortSignal,
  retention: Retention = DEFAULT_RETENTION,
): Promise<void> {
  const errors: unknown[] = [];
  for (const step of STEPS) {
    if (signal.aborted) break;
    await step(dataSource, signal, retention).catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'some cleanup steps failed');
}
