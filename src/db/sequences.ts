import type { EntityManager } from 'typeorm';

/** More values than an installation draws from a sequence in a second. */
const PER_SECOND = 10_000;
/** The minimum, because the time is not known to the second. */
const AT_LEAST = 1_000_000;

/**
 * Moves every sequence beyond the values that may have been drawn since the time of a restored backup. Identifiers
 * that were issued then must not be issued again.
 */
export async function skipSequences(manager: EntityManager, since: Date): Promise<void> {
  await manager.query(
    `SELECT setval(format('%I.%I', schemaname, sequencename)::regclass,
       coalesce(last_value, start_value)
         + greatest($2::bigint, ($3 * extract(epoch FROM gatehouse_now() - $1::timestamptz))::bigint))
     FROM pg_sequences WHERE schemaname = current_schema() AND data_type = 'bigint'::regtype`,
    [since, AT_LEAST, PER_SECOND],
  );
}
