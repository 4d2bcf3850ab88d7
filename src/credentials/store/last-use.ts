import { setImmediate as turn } from 'node:timers/promises';
import type { DataSource } from 'typeorm';

import { ownText } from '../../db/own-text.js';

/** Records the last use of credentials or grants in memory until it is written. */
export interface LastUse {
  note(id: string, address: string): void;
  /** Seconds since the last recorded use; `undefined` if there is none. */
  secondsSince(id: string): number | undefined;
  /** How many wait to be written. */
  pending(): number;
  /** Writes the uses since the previous flush. After an error they are kept. */
  flush(): Promise<void>;
}

/** A table of last uses, by the column that names their subject. */
export interface UseTable {
  readonly name: string;
  readonly column: string;
  /** The table of the subjects, where they can be deleted while a use is pending. */
  readonly subjects?: string;
}

export const CREDENTIAL_USES: UseTable = { name: 'credential_uses', column: 'credential_id' };

export const OPERATOR_KEY_USES: UseTable = {
  name: 'operator_key_uses',
  column: 'operator_key_id',
};

export const GRANT_USES: UseTable = {
  name: 'grant_uses',
  column: 'grant_id',
  subjects: 'grants',
};

interface Use {
  readonly id: string;
  /** The time, in tenths of a second since the process started. */
  at: number;
  address: string;
  isPending: boolean;
}

/** The maximum of recorded credentials, and of pending writes. */
const MAX_REMEMBERED = 200_000;

/** Rows per statement. Small enough to block neither the event loop nor the database for long. */
const BATCH = 2000;

/** perf: a small integer, because V8 allocates larger numbers on the heap. */
function tenths(): number {
  return Math.trunc(performance.now() / 100);
}

export function createLastUse(dataSource: DataSource, table: UseTable): LastUse {
  // perf: entries are changed in place. An object for each request would burden the garbage collector.
  const uses = new Map<string, Use>();
  let pending: Use[] = [];

  function markPending(use: Use): void {
    if (use.isPending || pending.length >= MAX_REMEMBERED) return;
    use.isPending = true;
    pending.push(use);
  }

  return {
    note(id, address) {
      let use = uses.get(id);
      if (use === undefined) {
        // Deleted entries may still be pending and then occur twice: see `write`.
        if (uses.size >= MAX_REMEMBERED) uses.clear();
        use = { id: ownText(id), at: 0, address, isPending: false };
        uses.set(use.id, use);
      }
      use.at = tenths();
      use.address = address;
      markPending(use);
    },
    secondsSince(id) {
      const use = uses.get(id);
      return use && (tenths() - use.at) / 10;
    },
    pending: () => pending.length,
    async flush() {
      const batches = pending;
      pending = [];
      for (let start = 0; start < batches.length; start += BATCH) {
        const batch = batches.slice(start, start + BATCH);
        for (const use of batch) use.isPending = false;
        try {
          await write(dataSource, table, batch);
        } catch (error) {
          for (const use of batches.slice(start + BATCH)) use.isPending = false;
          for (const use of batches.slice(start)) markPending(use);
          throw error;
        }
        await turn();
      }
    },
  };
}

async function write(
  dataSource: DataSource,
  { name, column, subjects }: UseTable,
  uses: readonly Use[],
): Promise<void> {
  const now = tenths();
  // One statement cannot change a row twice. The last entry of a subject is its latest use.
  const batch = [...new Map(uses.map((use) => [use.id, use])).values()];
  const lines = (values: readonly (string | number)[]) => values.join('\n');
  await dataSource.query(
    // Sent as an age, so that stored times are the database's. Ordered by id, so that replicas do not deadlock.
    // perf: lines are cheap to write and read. No address holds a line break, since it came in a header or from
    // the socket.
    `INSERT INTO ${name} AS known (${column}, used_at, address)
     SELECT use.id, gatehouse_now() - make_interval(secs => age), address
     FROM unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n')::float8[],
       string_to_array($3, E'\\n')) AS use (id, age, address)
       ${subjects === undefined ? '' : `JOIN ${subjects} subject ON subject.id = use.id`}
     ORDER BY use.id
     ON CONFLICT (${column}) DO UPDATE SET used_at = excluded.used_at, address = excluded.address
     WHERE excluded.used_at > known.used_at`,
    [
      lines(batch.map(({ id }) => id)),
      lines(batch.map(({ at }) => (now - at) / 10)),
      lines(batch.map(({ address }) => address)),
    ],
  );
}
