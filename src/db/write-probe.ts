import type { DataSource } from 'typeorm';

/** A commit that takes longer is taken to wait for a synchronous standby that is gone. */
const COMMITS_WITHIN_MS = 800;

/**
 * Commits a transaction that changes no table. It writes a message to the write-ahead log, which waits for the disk
 * and for a synchronous standby as any write does.
 *
 * @throws Error if the database is read-only, a standby or unreachable, or does not acknowledge the commit
 */
export async function probeWriting(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  await runner.connect();
  let pid: number | undefined;
  let isOverdue = false;
  // PostgreSQL continues an abandoned commit and keeps its connection. This commit may be cancelled, because it
  // holds no data that a failover could undo.
  const timer = setTimeout(() => {
    isOverdue = true;
    if (pid === undefined) return;
    void dataSource.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => undefined);
  }, COMMITS_WITHIN_MS);
  try {
    await runner.startTransaction();
    const [row] = await runner.manager.query<[{ pid: number; readonly: boolean }]>(
      `SELECT pg_backend_pid() AS pid, current_setting('transaction_read_only')::boolean AS readonly`,
    );
    if (row.readonly) throw new Error('the database is read-only');
    await runner.query(`SELECT pg_logical_emit_message(true, 'gatehouse.readyz', '')`);
    pid = row.pid;
    await runner.commitTransaction();
    if (isOverdue) throw new Error('a commit was not acknowledged in time');
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
    await runner.release();
  }
}
