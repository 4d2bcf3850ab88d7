import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

interface Settings {
  readonly commit: string;
  readonly standbys: string;
}

/**
 * Warns if the settings of the database let a crash or failover lose answered changes. A revoked key would be
 * valid again. See `docs/operations.md`.
 *
 * @param dataSource the data source whose sessions write
 */
export async function warnOfLosableCommits(
  dataSource: DataSource,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const [{ commit, standbys }] = await dataSource.query<[Settings]>(
    `SELECT current_setting('synchronous_commit') AS commit,
       current_setting('synchronous_standby_names') AS standbys`,
  );
  if (commit === 'off') {
    log.warn(
      { synchronousCommit: commit },
      'synchronous_commit is off: a crash of the database loses answered changes, revocations among them',
    );
  } else if (commit === 'local' && standbys !== '') {
    log.warn(
      { synchronousCommit: commit, standbys },
      'synchronous_commit is local: a failover loses answered changes although there are synchronous standbys',
    );
  }
}
