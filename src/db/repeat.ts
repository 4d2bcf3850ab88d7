import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode } from './errors.js';

const TRIES = 4;
const MAX_PAUSE_MS = 30;

/**
 * Runs a transaction, and repeats it after a serialization failure (40001) or a deadlock (40P01). After a few
 * attempts the error is thrown.
 *
 * @param transaction must have no effect outside the database before it commits
 */
export async function repeatOnConflict<Result>(
  transaction: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await transaction();
    } catch (error) {
      if (tries === TRIES || !isConflict(error)) throw error;
    }
    // Random, so that two conflicting transactions do not conflict again.
    await sleep(Math.random() * MAX_PAUSE_MS * tries);
  }
}

function isConflict(error: unknown): boolean {
  // TypeORM copies the code of the driver's error.
  return ['40001', '40P01'].includes(errorCode(error) ?? '');
}
