import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, EntityManager } from 'typeorm';

import { prepared, type RunPrepared } from './prepared.js';

/**
 * Transactions for code that cannot be passed a manager, such as a library's adapter. `manager()` returns the manager
 * of the transaction in whose work it is called.
 */
export interface Transactions {
  /** The manager of the current transaction, or the data source's manager outside of any. */
  readonly manager: () => EntityManager;
  /** Runs work in one transaction. A nested call joins the outer transaction. */
  readonly transaction: <Result>(
    work: (manager: EntityManager) => Promise<Result>,
  ) => Promise<Result>;
  /** Runs a prepared statement in the current transaction, if there is one. */
  readonly run: RunPrepared;
}

export function createTransactions(dataSource: DataSource): Transactions {
  const current = new AsyncLocalStorage<EntityManager>();
  const manager = () => current.getStore() ?? dataSource.manager;
  return {
    manager,
    run: (statement, values) => prepared(manager())(statement, values),
    transaction(work) {
      const joined = current.getStore();
      if (joined !== undefined) return work(joined);
      return dataSource.transaction((begun) => current.run(begun, () => work(begun)));
    },
  };
}
