import type pg from 'pg';
import type { DataSource } from 'typeorm';

/** A statement that the database plans once per connection. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
}

/** Runs prepared statements on the data source's own connections, which TypeORM itself cannot. */
export type RunPrepared = <Row extends pg.QueryResultRow>(
  statement: PreparedStatement,
  values: readonly unknown[],
) => Promise<readonly Row[]>;

export function createRunPrepared(dataSource: DataSource): RunPrepared {
  const { master } = dataSource.driver as unknown as { readonly master: pg.Pool };
  return async <Row extends pg.QueryResultRow>(
    statement: PreparedStatement,
    values: readonly unknown[],
  ) => (await master.query<Row>({ ...statement, values: [...values] })).rows;
}
