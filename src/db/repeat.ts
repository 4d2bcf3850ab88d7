import { setTimeout as sleep } from 'node:timers/promises';

import { errorCode } from './errors.js';

const TRIES = 4;
const MAX_PAUSE_MS = 30;

/**
 * Runs a transaction, again if the database undid it only because another one got in its way: a serialization failure
 * (40001) or a deadlock (40P01). After a few tries the error is thrown like any other.
 *
 * @param transaction has no effect when it fails but what the database undoes; run again it does the same
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
    // Random, so that two that met do not meet again.
    await sleep(Math.random() * MAX_PAUSE_MS * tries);
  }
}

function isConflict(error: unknown): boolean {
  // TypeORM copies the code of the driver's error.
  return ['40001', '40P01'].includes(errorCode(error) ?? '');
}
