import type { EntityManager } from 'typeorm';

import { parseEventId } from '../audit-log/index.js';
import { Problem } from '../http/errors/problem.js';
import type { StoredEvent } from './event.js';
import type { EventFilter } from './event-filter.js';
import { placeOf, walkEvents } from './event-store.js';
import type { FeedPosition } from './position.js';
import { bounded, parseSnapshot, settled, type Snapshot } from './snapshot.js';

/** A page of the feed, oldest first. */
export interface FeedPage {
  readonly events: readonly StoredEvent[];
  /** Where the next reading begins. A feed has no end. */
  readonly position: FeedPosition;
  /** Whether there is more already. */
  readonly hasMore: boolean;
}

/** The feed of events. Nothing that commits is skipped, in whatever order transactions commit. */
export interface EventFeed {
  /**
   * @param position `undefined` for the oldest event that is kept
   * @throws Problem `bad_request` for a position of another cluster, or of before a recovery
   */
  read(position: FeedPosition | undefined, filter: EventFilter, limit: number): Promise<FeedPage>;
  /**
   * The position behind an event that was read without a cursor.
   * @throws Problem `bad_request` for an unknown event
   */
  positionAfter(eventId: string): Promise<FeedPosition>;
  /** The position behind everything that is committed now. */
  present(): Promise<FeedPosition>;
}

export function createEventFeed(manager: EntityManager): EventFeed {
  return {
    async read(position, filter, limit) {
      const now = await readNow(manager);
      const start: FeedPosition = position ?? {
        origin: now.origin,
        seen: undefined,
        walk: undefined,
      };
      assertOf(start, now);
      const { origin } = now;
      let { seen, walk } = start;
      const events: StoredEvent[] = [];
      // A walk that was begun earlier, and one up to now.
      for (;;) {
        const isFresh = walk === undefined;
        const isFirst = seen === undefined;
        const first = isFirst ? settled(now.snapshot) : now.snapshot;
        const target = walk?.target ?? bounded(first);
        const step = { seen, target, after: walk?.after };
        const walked = await walkEvents(manager, step, filter, limit - events.length);
        events.push(...walked.events);
        if (walked.next !== undefined) {
          const rest = { origin, seen, walk: { target, after: walked.next } };
          return { events, position: rest, hasMore: true };
        }
        [seen, walk] = [target, undefined];
        // Later events cannot be positions yet, since a transaction before them is open. Readers that continue from ids
        // get them later.
        if (isFresh || isFirst) return { events, position: { origin, seen, walk }, hasMore: false };
        if (events.length === limit)
          return { events, position: { origin, seen, walk }, hasMore: true };
      }
    },
    async positionAfter(eventId) {
      const entry = parseEventId(eventId);
      const [row] =
        entry === undefined
          ? []
          : await manager.query<{ xid: string; id: string }[]>(
              `SELECT xid::text AS xid, id FROM audit_log WHERE id = $1
                 AND at >= to_timestamp($2 / 1000.0) AND at < to_timestamp(($2 + 1) / 1000.0)`,
              [entry.id, entry.millis],
            );
      if (row === undefined) throw new Problem('bad_request', 'The event is not known.');
      const { origin, snapshot } = await readNow(manager);
      const walk = { target: settled(snapshot), after: placeOf(row) };
      return { origin, seen: undefined, walk };
    },
    async present() {
      const { origin, snapshot } = await readNow(manager);
      return { origin, seen: bounded(snapshot), walk: undefined };
    },
  };
}

interface Now {
  readonly origin: string;
  readonly snapshot: Snapshot;
}

async function readNow(manager: EntityManager): Promise<Now> {
  const [row] = await manager.query<[{ origin: string; snapshot: string }]>(
    `SELECT to_hex(system_identifier) AS origin, pg_current_snapshot()::text AS snapshot
     FROM pg_control_system()`,
  );
  return { origin: row.origin, snapshot: parseSnapshot(row.snapshot) };
}

/** Transactions of another cluster, or of the time before a recovery, have other numbers. */
function assertOf({ origin, seen, walk }: FeedPosition, now: Now): void {
  const isAhead = (snapshot: Snapshot | undefined) =>
    snapshot !== undefined && snapshot.xmax > now.snapshot.xmax;
  if (origin === now.origin && !isAhead(seen) && !isAhead(walk?.target)) return;
  throw new Problem(
    'bad_request',
    'The cursor was made before the database was restored. Read the feed from its start.',
  );
}
