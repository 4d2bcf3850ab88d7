import type pg from 'pg';
import type { DataSource } from 'typeorm';

/** A statement that the database plans once per connection. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
}

/**
 * Runs prepared statements on the data source's own connections, which TypeORM itself cannot.
 *
 * @param values what stands for the parameters; a function is asked when a connection is free, just
 *   before the statement is sent
 */
export type RunPrepared = <Row extends pg.QueryResultRow>(
  statement: PreparedStatement,
  values: readonly unknown[] | (() => readonly unknown[]),
) => Promise<readonly Row[]>;

export function createRunPrepared(dataSource: DataSource): RunPrepared {
  const { master } = dataSource.driver as unknown as { readonly master: pg.Pool };
  return async <Row extends pg.QueryResultRow>(
    statement: PreparedStatement,
    values: readonly unknown[] | (() => readonly unknown[]),
  ) => {
    const connection = await master.connect();
    let failure: unknown;
    try {
      const sent = typeof values === 'function' ? values() : values;
      return (await connection.query<Row>({ ...statement, values: [...sent] })).rows;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // As the pool does itself: a connection that failed is not used again.
      connection.release(failure instanceof Error ? failure : failure !== undefined);
    }
  };
}
