import type { DataSource } from 'typeorm';

import { deleteExpiredLinks, deleteOldInvitations } from '../accounts/index.js';
import { deleteExcessCopies, deleteUnusedClients } from '../clients/index.js';
import {
  BUDGET_WINDOWS,
  createAttemptStore,
  deleteExpiredRateWindows,
} from '../rate-limits/index.js';
import {
  deleteEndedPersonalTokens,
  deleteExpiredProofs,
  deleteExpiredRevocations,
  deleteNeedlessRevocations,
  deleteOldUses,
  noteKeyDeadlines,
} from '../credentials/index.js';
import { deleteExpiredHandovers } from '../console/index.js';
import { DEFAULT_RETENTION, maintainPartitions, type Retention } from '../db/partitions.js';
import { deleteEndedGrants, eraseExpiredAnswers } from '../grants/index.js';
import { deleteExpiredMail } from '../mail/index.js';
import { deleteExpiredResponses } from '../http/idempotency/idempotency.js';
import { deleteExpiredInteractions, deleteExpiredPushedRequests } from '../oauth/index.js';
import { deleteExpiredSessions } from '../sessions/index.js';
import { deleteOldChanges } from '../verify-endpoints/index.js';
import { cleanDeliveries } from '../webhooks/index.js';
import { deleteEndedKeys } from '../signing-keys/index.js';

/** @returns how many rows were deleted */
type Step = (dataSource: DataSource, signal: AbortSignal) => Promise<number>;

/** Deletes expired rows of a table each. Safe to run on several replicas at once. */
const STEPS: readonly (readonly [table: string, step: Step])[] = [
  ['idempotency_records', ({ manager }, signal) => deleteExpiredResponses(manager, signal)],
  // Only the answers that the rows hold for the grace window.
  ['refresh_tokens', ({ manager }, signal) => eraseExpiredAnswers(manager, signal)],
  ['sessions', ({ manager }, signal) => deleteExpiredSessions(manager, signal)],
  ['oauth_artifacts', ({ manager }, signal) => deleteExpiredInteractions(manager, signal)],
  ['secret_handovers', ({ manager }, signal) => deleteExpiredHandovers(manager, signal)],
  ['pushed_requests', ({ manager }, signal) => deleteExpiredPushedRequests(manager, signal)],
  ['outgoing_mail', ({ manager }, signal) => deleteExpiredMail(manager, signal)],
  ['used_proofs', ({ manager }, signal) => deleteExpiredProofs(manager, signal)],
  ['verdict_changes', ({ manager }, signal) => deleteOldChanges(manager, signal)],
  ['webhook_deliveries', ({ manager }, signal) => cleanDeliveries(manager, signal)],
  ['invitations', ({ manager }, signal) => deleteOldInvitations(manager, signal)],
  ['account_links', ({ manager }, signal) => deleteExpiredLinks(manager, signal)],
  ['attempts', ({ manager }) => createAttemptStore(manager).deleteExpired()],
  ['signing_keys', ({ manager }) => deleteEndedKeys(manager)],
  [
    'rate_windows',
    ({ manager }, signal) => deleteExpiredRateWindows(manager, BUDGET_WINDOWS, signal),
  ],
  // Grants first, because a revocation is kept as long as its grant.
  ['grants', ({ manager }, signal) => deleteEndedGrants(manager, signal)],
  ['revocations', ({ manager }, signal) => deleteExpiredRevocations(manager, signal)],
  ['clients', ({ manager }, signal) => deleteUnusedClients(manager, signal)],
  ['clients', ({ manager }, signal) => deleteExcessCopies(manager, signal)],
];

/** Steps that look at every row of a table. */
const HOURLY_STEPS: typeof STEPS = [
  ['credentials', (dataSource, signal) => deleteEndedPersonalTokens(dataSource, signal)],
  ['credential_uses', ({ manager }, signal) => deleteOldUses(manager, signal)],
  ['revocations', ({ manager }, signal) => deleteNeedlessRevocations(manager, signal)],
];

/**
 * Runs every step, also after one has failed. To be called every minute.
 *
 * @param signal stops after the current statement
 * @param retention how long the audit log is kept
 * @param onDeleted receives how many rows of a table were deleted
 * @param isHourly whether to run the steps that look at every row of a table
 * @throws AggregateError with the errors of all steps that failed
 */
export async function runCleanup(
  dataSource: DataSource,
  signal: AbortSignal,
  retention: Retention = DEFAULT_RETENTION,
  onDeleted: (table: string, rows: number) => void = () => undefined,
  isHourly = true,
): Promise<void> {
  const errors: unknown[] = [];
  const note = (error: unknown) => void errors.push(error);
  if (!signal.aborted) await maintainPartitions(dataSource, retention).catch(note);
  for (const [table, step] of isHourly ? [...STEPS, ...HOURLY_STEPS] : STEPS) {
    if (signal.aborted) break;
    await step(dataSource, signal).then((rows) => onDeleted(table, rows), note);
  }
  if (isHourly && !signal.aborted) await noteKeyDeadlines(dataSource.manager, signal).catch(note);
  if (errors.length > 0) throw new AggregateError(errors, 'some cleanup steps failed');
}
