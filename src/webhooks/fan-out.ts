import type { EntityManager } from 'typeorm';

import { createEventFeed, packPosition, unpackPosition } from '../events/index.js';
import { Problem } from '../http/errors/problem.js';
import { addDeliveries } from './delivery-store.js';

const EVENTS_A_STEP = 500;
const MAX_STEPS = 20;
const EVERYTHING = { types: [], tenantId: undefined };

/**
 * Reads the feed of events and adds the deliveries of each event, in one transaction with the position. One replica does
 * it at a time. Without an enabled webhook it costs one statement.
 *
 * @param onLost called if the position is of another cluster: events of before the restoration are not sent
 */
export async function fanOut(manager: EntityManager, onLost: () => void): Promise<void> {
  const [{ isNeeded }] = await manager.query<[{ isNeeded: boolean }]>(
    `SELECT EXISTS (SELECT FROM webhooks WHERE disabled_at IS NULL)
       OR EXISTS (SELECT FROM webhook_feed WHERE position IS NOT NULL) AS "isNeeded"`,
  );
  if (!isNeeded) return;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const hasMore = await manager.transaction((transaction) => takeStep(transaction, onLost));
    if (!hasMore) return;
  }
}

async function takeStep(manager: EntityManager, onLost: () => void): Promise<boolean> {
  const [locked] = await manager.query<{ position: string | null }[]>(
    'SELECT position FROM webhook_feed FOR UPDATE SKIP LOCKED',
  );
  if (locked?.position == null) return false;
  const [{ isWanted }] = await manager.query<[{ isWanted: boolean }]>(
    'SELECT EXISTS (SELECT FROM webhooks WHERE disabled_at IS NULL) AS "isWanted"',
  );
  const page = isWanted ? await readFrom(manager, locked.position, onLost) : undefined;
  if (page !== undefined && page.events.length > 0) {
    // Entries of one subject are numbered in the order of its locks.
    await addDeliveries(
      manager,
      page.events.toSorted((a, b) => a.id - b.id),
    );
  }
  const position = page === undefined ? null : packPosition(page.position);
  await manager.query('UPDATE webhook_feed SET position = $1', [position]);
  return page?.hasMore ?? false;
}

async function readFrom(manager: EntityManager, position: string, onLost: () => void) {
  const feed = createEventFeed(manager);
  try {
    return await feed.read(unpackPosition(position), EVERYTHING, EVENTS_A_STEP);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    onLost();
    return { events: [], position: await feed.present(), hasMore: false };
  }
}
