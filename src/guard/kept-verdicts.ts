import type { Asked } from './batches.js';
import type { FeedListener } from './change-feed.js';
import { createChangesMeanwhile, isBefore, type Ticket } from './changes-meanwhile.js';
import { after, between, isOver, now, type Moment } from './moments.js';
import type { ActiveVerdict } from './types.js';
import { createUses, type Uses } from './uses.js';
import { createVerdictIndex, type Indexed } from './verdict-index.js';

/** An accepted verdict that is kept until a change, its end, or a minute is over. */
export interface Kept {
  readonly verdict: ActiveVerdict;
  readonly uses: Uses;
}

/** Verdicts by the digest of everything that they depend on. */
export interface KeptVerdicts extends FeedListener {
  /** @returns the verdict; `undefined` if there is none, or if changes may be missing */
  find(digest: string, current: Moment): Kept | undefined;
  /** Begins a question. Every ticket must be given back by `keep` or `drop`. */
  begin(): Ticket;
  /** Keeps an accepted verdict, unless a change of it has passed by since the question was asked. */
  keep(digest: string, ticket: Ticket, asked: Asked & { readonly verdict: ActiveVerdict }): void;
  /** Ends a question without a verdict to keep, and drops the verdict that is kept. */
  drop(digest: string, ticket: Ticket): void;
  /** Ends a question without an answer. */
  cancel(ticket: Ticket): void;
}

interface Entry extends Indexed, Kept {
  readonly verdict: ActiveVerdict;
  readonly end: Moment;
}

/** Asked again after this time, whatever the feed says. */
const KEPT_MS = 60_000;

export function createKeptVerdicts(maxStaleMs: number, maxKept: number): KeptVerdicts {
  const entries = createVerdictIndex<Entry>(maxKept);
  const changed = createChangesMeanwhile();
  /** Everything that was committed before is known; `undefined` without a stream. */
  let knownUntil: Moment | undefined;

  function clear(): void {
    entries.clear();
    changed.reset();
  }

  return {
    find(digest, current) {
      if (knownUntil === undefined || between(knownUntil, current) > maxStaleMs) return undefined;
      const entry = entries.find(digest);
      if (entry === undefined || !isOver(entry.end, current)) return entry;
      entries.remove(entry);
      return undefined;
    },
    begin: () => changed.begin(),
    cancel: (ticket) => changed.end(ticket),
    drop(digest, ticket) {
      changed.end(ticket);
      const former = entries.find(digest);
      if (former !== undefined) entries.remove(former);
    },
    keep(digest, ticket, { verdict, sentAt, answeredAt }) {
      const isCurrent = !changed.hasPassed(ticket, verdict);
      changed.end(ticket);
      const former = entries.find(digest);
      if (former !== undefined) entries.remove(former);
      const expiresIn = lifetimeOf(verdict, answeredAt);
      if (!isCurrent || knownUntil === undefined || !(expiresIn > 0)) return;
      const uses = createUses(verdict.limits, former?.uses);
      const end = after(sentAt, Math.min(KEPT_MS, expiresIn));
      entries.add({ digest, verdict, uses, end, isUsed: false });
    },
    onChange(subjects, position) {
      for (const subject of subjects) {
        changed.note(subject, position);
        for (const entry of entries.about(subject)) {
          if (!isBefore(position, entry.verdict.position)) entries.remove(entry);
        }
      }
    },
    onReset: clear,
    onLost() {
      knownUntil = undefined;
      clear();
    },
    onBeat(until) {
      const current = now();
      // Changes before the first beat of a stream may be missing.
      if (knownUntil === undefined) clear();
      // Never later than now, whatever the server says.
      knownUntil = until.monotonic > current.monotonic ? current : until;
    },
  };
}

/** Milliseconds until a credential expires. Both clocks have to agree that it has not. */
function lifetimeOf({ expiresAt }: ActiveVerdict, answeredAt: number): number {
  return expiresAt === null ? Infinity : Date.parse(expiresAt) - Math.max(answeredAt, Date.now());
}
