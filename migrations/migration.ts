import type { MigrationInterface } from 'typeorm';

/**
 * Whether a program that does not know a migration may serve on a database that has it.
 *
 * `compatible`: the older program still refuses everything that the newer one refuses.
 * `restricting`: it could admit something that the newer one refuses, because it does not know a
 * restriction that is stored now. It then does not start, and its `/readyz` answers 503.
 */
export type OlderPrograms = 'compatible' | 'restricting';

/**
 * A change of the schema that runs while replicas of the earlier release serve.
 *
 * In a transaction (the default) it must not hold a strong lock for longer than a moment: no table
 * rewrite, no index on a table with rows, no update of many rows. What takes time goes outside of a
 * transaction (`transaction = false`): indexes `CONCURRENTLY`, updates in batches that each commit. It must
 * be possible to run such a migration again after it was interrupted anywhere.
 */
export interface Migration extends MigrationInterface {
  readonly olderPrograms: OlderPrograms;
}
