import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataSource, EntityManager } from 'typeorm';

import { prepared, type RunPrepared } from './prepared.js';

/**
 * Transactions that reach through code which cannot be handed a manager, such as a library's adapter. Whatever asks
 * for the manager while a transaction's work runs gets that transaction's.
 */
export interface Transactions {
  /** The manager of the transaction under way; outside of any, the data source's own. */
  readonly manager: () => EntityManager;
  /** Runs work in one transaction. Inside of another it becomes part of that one, and is undone only with it. */
  readonly transaction: <Result>(
    work: (manager: EntityManager) => Promise<Result>,
  ) => Promise<Result>;
  /** Runs a prepared statement in the transaction under way, or in none. */
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
