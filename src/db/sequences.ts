import type { EntityManager } from 'typeorm';

/** More than an installation draws in a second. */
const PER_SECOND = 10_000;
/** For a moment whose end is not known to the second. */
const AT_LEAST = 1_000_000;

/**
 * Moves every sequence beyond what may have been drawn from it since a time that the database does not remember:
 * identifiers that were handed out then must not name something else.
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
