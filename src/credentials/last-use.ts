import { setImmediate as turn } from 'node:timers/promises';
import type { DataSource } from 'typeorm';

/** Remembers in memory when and from where credentials were last used, until it is written. */
export interface LastUse {
  note(credentialId: string, address: string): void;
  /** Seconds since it was last noted; `undefined` if it never was, or that is forgotten. */
  secondsSince(credentialId: string): number | undefined;
  /** How many wait to be written. */
  pending(): number;
  /** Writes what was noted since the last time. What cannot be written is kept. */
  flush(): Promise<void>;
}

interface Use {
  readonly credentialId: string;
  /** When, in tenths of a second since the process started. */
  at: number;
  address: string;
  isPending: boolean;
}

/** The most credentials that are kept in memory, and that wait to be written. */
const MAX_REMEMBERED = 200_000;

/** Rows of one statement: neither the event loop nor the database should be held up for long. */
const BATCH = 2000;

/** A small integer: V8 would allocate a larger number each time, which lives too long. */
function tenths(): number {
  return Math.trunc(performance.now() / 100);
}

export function createLastUse(dataSource: DataSource): LastUse {
  // Entries stay and are changed in place: an object for each request would live just long enough
  // to burden the collector.
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
        // What is forgotten here may still wait to be written, and then come twice: see `write`.
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
  // One statement cannot change a row twice. The later of two was noted later.
  const batch = [...new Map(uses.map((use) => [use.credentialId, use])).values()];
  const lines = (values: readonly (string | number)[]) => values.join('\n');
  await dataSource.query(
    // Told as an age, so that only the database's clock is ever stored. In the order of their ids,
    // so that two replicas cannot wait for each other. As lines, which cost little to write and read;
    // no address holds a line break, since it came in a header or from the socket.
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
