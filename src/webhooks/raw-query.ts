import type pg from 'pg';
import type { EntityManager } from 'typeorm';

/** Runs SQL of a library, which expects the answer of `pg`. */
export type RawQuery = (
  text: string,
  values?: unknown[],
) => Promise<{ readonly rows: Record<string, unknown>[] }>;

/** Runs statements on a connection of the pool. */
export function rawQuery(manager: EntityManager): RawQuery {
  const { master } = manager.connection.driver as unknown as { readonly master: pg.Pool };
  return (text, values) => master.query<Record<string, unknown>>(text, values);
}
