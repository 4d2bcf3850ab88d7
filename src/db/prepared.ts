import type pg from 'pg';
import type { EntityManager } from 'typeorm';

/** A statement that the database plans once per connection. */
export interface PreparedStatement {
  readonly name: string;
  readonly text: string;
}

/**
 * Runs prepared statements on the data source's own connections, which TypeORM itself cannot.
 *
 * @param values the parameters. A function is called when a connection is free, just before the statement is sent
 */
export type RunPrepared = <Row extends pg.QueryResultRow>(
  statement: PreparedStatement,
  values: readonly unknown[] | (() => readonly unknown[]),
) => Promise<readonly Row[]>;

/**
 * Runs prepared statements in the manager's transaction if it has one, otherwise on a connection of the pool.
 */
export function prepared(manager: EntityManager): RunPrepared {
  const { queryRunner } = manager;
  if (queryRunner !== undefined) {
    return async (statement, values) => {
      const connection = (await queryRunner.connect()) as pg.PoolClient;
      return send(connection, statement, values);
    };
  }
  const { master } = manager.connection.driver as unknown as { readonly master: pg.Pool };
  return async (statement, values) => {
    const connection = await master.connect();
    let failure: unknown;
    try {
      return await send(connection, statement, values);
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // As in the pool's own `query`, a failed connection is not used again.
      connection.release(failure instanceof Error ? failure : failure !== undefined);
    }
  };
}

async function send<Row extends pg.QueryResultRow>(
  connection: pg.PoolClient,
  statement: PreparedStatement,
  values: readonly unknown[] | (() => readonly unknown[]),
): Promise<readonly Row[]> {
  const sent = typeof values === 'function' ? values() : values;
  const { name, text } = statement;
  return (await connection.query<Row>({ name, text, values: [...sent] })).rows;
}
