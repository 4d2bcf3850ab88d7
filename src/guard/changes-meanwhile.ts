import type { ActiveVerdict } from './types.js';

/** Marks the time at which a question was asked. */
export type Ticket = number;

/**
 * The changes that pass by while questions are on their way. A verdict that was read before such a change may arrive
 * after it.
 */
export interface ChangesMeanwhile {
  /** Begins a question. Every ticket must be given back. */
  begin(): Ticket;
  end(ticket: Ticket): void;
  note(subject: string, position: string): void;
  /** Whether a change that the verdict may not include has passed by since the question was asked. */
  hasPassed(ticket: Ticket, verdict: Pick<ActiveVerdict, 'subjects' | 'position'>): boolean;
  /** Changes may be missing: verdicts of all open questions count as out of date. */
  reset(): void;
}

/** With more subjects, verdicts of all open questions count as out of date. */
const MAX_SUBJECTS = 20_000;

export function createChangesMeanwhile(): ChangesMeanwhile {
  const last = new Map<string, { readonly at: number; readonly position: string }>();
  let open = 0;
  let time = 0;
  let forgottenAt = 0;

  function reset(): void {
    time += 1;
    forgottenAt = time;
    last.clear();
  }

  return {
    reset,
    begin() {
      open += 1;
      return time;
    },
    end() {
      open -= 1;
      if (open === 0) last.clear();
    },
    note(subject, position) {
      if (open === 0) return;
      if (last.size >= MAX_SUBJECTS) reset();
      time += 1;
      const former = last.get(subject)?.position;
      // Transactions commit in another order than their numbers: the highest counts.
      const isHighest = former === undefined || isBefore(former, position);
      last.set(subject, { at: time, position: isHighest ? position : former });
    },
    hasPassed(ticket, { subjects, position }) {
      if (ticket < forgottenAt) return true;
      return subjects.some((subject) => {
        const change = last.get(subject);
        return change !== undefined && change.at > ticket && !isBefore(change.position, position);
      });
    },
  };
}

/** Compares transaction ids, which are decimal numbers of up to 64 bits. */
export function isBefore(one: string, other: string): boolean {
  return one.length === other.length ? one < other : one.length < other.length;
}
