import type { Session } from './session.js';

/** Bounds the commits that wait for a synchronous standby which is gone. */
export interface StandbyWatch {
  /** @throws StandbyAwaited if as many commits wait already as there may be */
  readonly judge: (session: Session) => void;
  /** How many waited when a connection was last made. */
  readonly waitingCommits: () => number;
}

/** So many commits wait for a synchronous standby that no further connection is made. */
class StandbyAwaited extends Error {
  /** cannot_connect_now: temporary, until the standby is back. */
  readonly code = '57P03';
}

/**
 * PostgreSQL cannot give up a commit: it waits for its standby also when the client has left, and keeps its connection
 * on the server. Requests give up after seconds, so that each would leave one behind, until none is left for anything.
 * Cancelling it would show others what a failover may yet undo.
 *
 * @param limit commits that may wait before no new connection is made
 * @param report told when that begins, once
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
