import { setImmediate as turn } from 'node:timers/promises';
import type { DataSource } from 'typeorm';

/** Records the last use of credentials in memory until it is written. */
export interface LastUse {
  note(credentialId: string, address: string): void;
  /** Seconds since the last recorded use; `undefined` if there is none. */
  secondsSince(credentialId: string): number | undefined;
  /** How many wait to be written. */
  pending(): number;
  /** Writes the uses since the previous flush. After an error they are kept. */
  flush(): Promise<void>;
}

interface Use {
  readonly credentialId: string;
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

export function createLastUse(dataSource: DataSource): LastUse {
  // perf: entries are changed in place. An object for each request would burden the garbage collector.
  const uses = new Map<string, Use>();
  let pending: Use[] = [];

  function markPending(use: Use): void {
    if (use.isPending || pending.length >= MAX_REMEMBERED) return;
    use.isPending = true;
    pending.push(use);
  }

  return {
    note(credentialId, address) {
      let use = uses.get(credentialId);
      if (use === undefined) {
        // Deleted entries may still be pending and then occur twice: see `write`.
        if (uses.size >= MAX_REMEMBERED) uses.clear();
        use = { credentialId, at: 0, address, isPending: false };
        uses.set(credentialId, use);
      }
      use.at = tenths();
      use.address = address;
      markPending(use);
    },
    secondsSince(credentialId) {
      const use = uses.get(credentialId);
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
          await write(dataSource, batch);
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

async function write(dataSource: DataSource, uses: readonly Use[]): Promise<void> {
  const now = tenths();
  // One statement cannot change a row twice. The last entry of a credential is its latest use.
  const batch = [...new Map(uses.map((use) => [use.credentialId, use])).values()];
  const lines = (values: readonly (string | number)[]) => values.join('\n');
  await dataSource.query(
    // Sent as an age, so that stored times are the database's. Ordered by id, so that replicas do not deadlock.
    // perf: lines are cheap to write and read. No address holds a line break, since it came in a header or from
    // the socket.
    `INSERT INTO credential_uses AS known (credential_id, used_at, address)
     SELECT id, gatehouse_now() - make_interval(secs => age), address
     FROM unnest(string_to_array($1, E'\\n'), string_to_array($2, E'\\n')::float8[],
       string_to_array($3, E'\\n')) AS use (id, age, address) ORDER BY id
     ON CONFLICT (credential_id) DO UPDATE SET used_at = excluded.used_at, address = excluded.address
     WHERE excluded.used_at > known.used_at`,
    [
      lines(batch.map(({ credentialId }) => credentialId)),
      lines(batch.map(({ at }) => (now - at) / 10)),
      lines(batch.map(({ address }) => address)),
    ],
  );
}
