import type { EntityManager } from 'typeorm';

import { INDEX_ORDER } from '../audit-log/index.js';
import { prepared } from '../db/prepared.js';
import { EVENT_JSON, type StoredEvent } from './event.js';
import { type EventFilter, typePatterns } from './event-filter.js';
import type { Place } from './position.js';
import { snapshotText, type Snapshot } from './snapshot.js';

/** A part of a walk through the events that `target` includes and `seen` does not, by transaction and number. */
export interface Walk {
  readonly seen: Snapshot | undefined;
  readonly target: Snapshot;
  readonly after: Place | undefined;
}

/** Up to `limit` events, in the order of the walk. */
export interface WalkedEvents {
  readonly events: readonly StoredEvent[];
  /** The last event that was looked at, if the walk does not end with it. */
  readonly next: Place | undefined;
}

/** Bounds the events that a request looks at for filters that no index covers. */
const MAX_EXAMINED = 10_000;

interface Row {
  readonly events: readonly StoredEvent[];
  readonly examined: number;
  readonly last: { readonly xid: string; readonly id: string } | null;
}

const AFTER = '(e.xid, e.id) > ($2::xid8, $3::bigint)';

/**
 * Transactions that ran at the time of `seen`, and those since. Two ranges of the index, the first before the second, so
 * that a transaction that stays open does not make readers look at everything since its start again.
 */
const SINCE_SEEN = `
  (SELECT e.* FROM audit_log e
   WHERE e.xid = ANY ($4::xid8[]) AND pg_visible_in_snapshot(e.xid, $1::pg_snapshot) AND ${AFTER}
   ORDER BY e.xid, e.id LIMIT $6)
  UNION ALL
  (SELECT e.* FROM audit_log e
   WHERE e.xid >= $5::xid8 AND e.xid < pg_snapshot_xmax($1::pg_snapshot)
     AND pg_visible_in_snapshot(e.xid, $1::pg_snapshot) AND ${AFTER}
   ORDER BY e.xid, e.id LIMIT $6)`;

/**
 * All events. A committed entry whose transaction is not in the present snapshot was restored from another cluster, where
 * it had that number.
 */
const FROM_THE_START = `
  (SELECT e.* FROM audit_log e
   WHERE (pg_visible_in_snapshot(e.xid, $1::pg_snapshot)
       OR NOT pg_visible_in_snapshot(e.xid, pg_current_snapshot()))
     AND ${AFTER} AND $4::xid8[] IS NULL AND $5::xid8 IS NULL
   ORDER BY e.xid, e.id LIMIT $6)`;

const statement = (name: string, source: string) => ({
  name,
  text: `
    WITH examined AS MATERIALIZED (
      SELECT * FROM (${source}) AS e ORDER BY e.xid, e.id LIMIT $6),
    found AS (
      SELECT * FROM examined e
      WHERE ($7::text[] IS NULL OR e.action = ANY ($7)
          OR EXISTS (SELECT FROM unnest($8::text[]) AS begins WHERE starts_with(e.action, begins)))
        AND ($9::text IS NULL OR e.tenant_id = $9)
      ORDER BY e.xid, e.id LIMIT $10)
    SELECT (SELECT coalesce(json_agg(${EVENT_JSON} ORDER BY e.xid, e.id), '[]') FROM found e) AS events,
      (SELECT count(*)::int FROM examined) AS examined,
      (SELECT json_build_object('xid', e.xid::text, 'id', e.id::text) FROM examined e
       ORDER BY e.xid DESC, e.id DESC LIMIT 1) AS last`,
});

const WALK = statement('events-since', SINCE_SEEN);
const FIRST_WALK = statement('events-from-start', FROM_THE_START);

/** Reads events. Without a filter, no more than are asked for are looked at. */
export async function walkEvents(
  manager: EntityManager,
  { seen, target, after }: Walk,
  filter: EventFilter,
  limit: number,
): Promise<WalkedEvents> {
  const patterns = typePatterns(filter.types);
  const isFiltered = patterns !== undefined || filter.tenantId !== undefined;
  const examine = isFiltered ? MAX_EXAMINED : limit + 1;
  const values = [
    snapshotText(target),
    String(after?.xid ?? 0n),
    String(after?.id ?? 0n),
    seen === undefined ? null : seen.running.map(String),
    seen === undefined ? null : String(seen.xmax),
    examine,
    patterns?.exact ?? null,
    patterns?.begins ?? [],
    filter.tenantId ?? null,
    limit + 1,
  ];
  const [row] = await manager.transaction(async (transaction) => {
    await transaction.query(INDEX_ORDER);
    return prepared(transaction)<Row>(seen === undefined ? FIRST_WALK : WALK, values);
  });
  if (row === undefined) throw new Error('the events could not be read');
  const events = row.events.slice(0, limit);
  const lastShown = events.at(-1);
  if (row.events.length > limit && lastShown !== undefined) {
    return { events, next: placeOf(lastShown) };
  }
  const isCut = row.examined >= examine;
  return { events, next: isCut && row.last !== null ? placeOf(row.last) : undefined };
}

export function placeOf({ xid, id }: { xid: string; id: string | number }): Place {
  return { xid: BigInt(xid), id: BigInt(id) };
}
