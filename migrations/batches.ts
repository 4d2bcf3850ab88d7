import type { QueryRunner } from 'typeorm';

const AT_ONCE = 1000;

/**
 * Goes over a table in the order of a text column that has an index, for migrations that run outside of a
 * transaction. Each range is dealt with in a transaction of its own, so that no row stays locked for long.
 *
 * @param step deals with the rows whose column lies behind `from`, up to and including `to`
 */
export async function inEach(
  runner: QueryRunner,
  { table, column }: { readonly table: string; readonly column: string },
  step: (from: string, to: string) => Promise<void>,
): Promise<void> {
  for (let from = ''; ;) {
    const [{ last }] = (await runner.query(
      `SELECT max(${column}) AS last FROM
         (SELECT ${column} FROM ${table} WHERE ${column} > $1 ORDER BY ${column} LIMIT ${AT_ONCE}) AS range`,
      [from],
    )) as [{ last: string | null }];
    if (last === null) return;
    await runner.startTransaction();
    try {
      await step(from, last);
      await runner.commitTransaction();
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    }
    from = last;
  }
}
