import type { DataSource } from 'typeorm';

import { forgetUnusedClients } from './clients/client-cleaning.js';
import { BUDGET_WINDOWS } from './credentials/budgets.js';
import { forgetOldRevocations } from './credentials/revocation-store.js';
import { DEFAULT_RETENTION, maintainPartitions, type Retention } from './db/partitions.js';
import { eraseOldAnswers, forgetEndedGrants } from './grants/grant-cleaning.js';
import { createAttemptStore } from './http/attempts.js';
import { forgetOldAnswers } from './http/idempotency.js';
import { deleteExpiredRateWindows } from './http/rate-window-store.js';
import { deleteExpiredInteractions } from './oauth/interaction-store.js';
import { forgetExpiredSessions } from './sessions/session-store.js';
import { forgetEndedKeys } from './signing-keys/signing-key-store.js';

type Step = (dataSource: DataSource, signal: AbortSignal, retention: Retention) => Promise<void>;

/** Everything that is thrown away when its time is over. Replicas may do it at once. */
const STEPS: readonly Step[] = [
  (dataSource, _signal, retention) => maintainPartitions(dataSource, retention),
  ({ manager }, signal) => forgetOldAnswers(manager, signal),
  ({ manager }, signal) => eraseOldAnswers(manager, signal),
  ({ manager }, signal) => forgetExpiredSessions(manager, signal),
  ({ manager }, signal) => deleteExpiredInteractions(manager, signal),
  ({ manager }) => createAttemptStore(manager).forgetOld(),
  ({ manager }) => forgetEndedKeys(manager),
  ({ manager }, signal) => deleteExpiredRateWindows(manager, BUDGET_WINDOWS, signal),
  // Grants first: a revocation is kept as long as its grant.
  ({ manager }, signal) => forgetEndedGrants(manager, signal),
  ({ manager }, signal) => forgetOldRevocations(manager, signal),
  ({ manager }, signal) => forgetUnusedClients(manager, signal),
];

/**
 * Throws away what is over: to be called every minute. A step that fails does not hold up the others.
 *
 * @param signal ends it after the statement that is just running
 * @param retention how long the audit log is kept
 * @throws AggregateError with whatever failed
 */
export async function clean(
  dataSource: DataSource,
  signal: AbortSignal,
  retention: Retention = DEFAULT_RETENTION,
): Promise<void> {
  const errors: unknown[] = [];
  for (const step of STEPS) {
    if (signal.aborted) break;
    await step(dataSource, signal, retention).catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'some of it could not be thrown away');
}
