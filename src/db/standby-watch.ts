import type { Session } from './session.js';

/** Bounds the commits that wait for a synchronous standby which is gone. */
export interface StandbyWatch {
  /** @throws StandbyAwaited if the limit of waiting commits is reached */
  readonly judge: (session: Session) => void;
  /** The number of waiting commits when the latest connection was made. */
  readonly waitingCommits: () => number;
}

/** The limit of commits that wait for a synchronous standby is reached. */
class StandbyAwaited extends Error {
  /** cannot_connect_now: temporary, until the standby is back. */
  readonly code = '57P03';
}

/**
 * Limits the commits that wait for a synchronous standby. PostgreSQL continues to wait, and keeps the connection,
 * after the client has left. Requests time out after seconds, and each would leave a connection behind until none
 * is left. Cancelling the wait would make changes visible that a failover may undo.
 *
 * @param limit the number of waiting commits at which no new connection is made
 * @param report called once when the limit is reached
 */
export function createStandbyWatch(limit: number, report: (error: Error) => void): StandbyWatch {
  let waiting = 0;
  let isRefusing = false;
  return {
    judge({ waitingCommits }) {
      waiting = waitingCommits;
      if (waiting < limit) {
        isRefusing = false;
        return;
      }
      const error = new StandbyAwaited(
        `${waiting} commits wait for a synchronous standby that does not answer; no new connections are made`,
      );
      if (!isRefusing) report(error);
      isRefusing = true;
      throw error;
    },
    waitingCommits: () => waiting,
  };
}
