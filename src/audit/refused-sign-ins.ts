import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';

import type { BackgroundWork } from '../db/background-work.js';

/** The reason for a refused sign-in: a wrong password, too many attempts, or the answer of a provider. */
export type SignInRefusal = 'password' | 'throttled' | `provider ${string}: ${string}`;

/**
 * Records refused sign-ins in the audit log: one entry per account, reason and hour, with a count, so that an attacker
 * cannot fill the log. Unknown email addresses share one entry.
 */
export interface RefusedSignIns {
  /** @param accountId `undefined` for an unknown email address */
  note(accountId: string | undefined, reason: SignInRefusal, address: string): void;
  /** Writes the counts. After a failure they are kept for the next flush. */
  flush(): Promise<void>;
}

interface Noted {
  readonly subject: string;
  readonly reason: SignInRefusal;
  readonly address: string;
  /** Since the epoch. */
  readonly hour: number;
  occurrences: number;
}

/** Maximum entries between two flushes. Further ones are dropped. */
const MAX_NOTED = 10_000;

/** Entries per statement. */
const BATCH = 1000;

export function createRefusedSignIns({
  dataSource,
  log,
  work,
}: {
  dataSource: DataSource;
  log: Logger;
  work: BackgroundWork;
}): RefusedSignIns {
  let noted = new Map<string, Noted>();
  /** The entries of this hour that are stored already. Their counts can wait for the next flush. */
  const known = { hour: 0, ids: new Set<string>() };
  let running: Promise<void> = Promise.resolve();
  work.watchPending('refused_sign_ins', () => noted.size);

  async function flushNow(): Promise<void> {
    const entries = noted;
    noted = new Map();
    try {
      await work.run('refused_sign_ins', () => write(dataSource, entries));
    } catch (error) {
      log.warn({ err: error }, 'refused sign-ins could not be written; they are kept');
      for (const [id, entry] of entries) add(noted, id, entry);
    }
  }

  function flush(): Promise<void> {
    running = running.then(flushNow);
    return running;
  }

  return {
    note(accountId, reason, address) {
      if (noted.size >= MAX_NOTED) return;
      const hour = Math.floor(Date.now() / 3_600_000);
      const subject = accountId ?? 'unknown';
      const id = `sign-in refused ${subject} ${reason} ${hour}`;
      add(noted, id, { subject, reason, address, hour, occurrences: 1 });
      if (known.hour !== hour) Object.assign(known, { hour, ids: new Set() });
      if (known.ids.has(id) || known.ids.size >= MAX_NOTED) return;
      known.ids.add(id);
      // Not awaited: the response must not take longer for existing accounts.
      void flush();
    },
    flush,
  };
}

/** @returns the recorder, whose `flush` writes the refused sign-ins too */
export function flushedWith<Recorder extends { flush(): Promise<void> }>(
  recorder: Recorder,
  refused: Pick<RefusedSignIns, 'flush'>,
): Recorder {
  const flush = async () => void (await Promise.all([recorder.flush(), refused.flush()]));
  return { ...recorder, flush };
}

function add(noted: Map<string, Noted>, id: string, entry: Noted): void {
  const present = noted.get(id);
  if (present === undefined) noted.set(id, entry);
  else present.occurrences += entry.occurrences;
}

/** Writes entries sorted by id, so that two replicas cannot deadlock. */
async function write(dataSource: DataSource, noted: Map<string, Noted>): Promise<void> {
  const entries = [...noted].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (let start = 0; start < entries.length; start += BATCH) {
    const batch = entries.slice(start, start + BATCH);
    await dataSource.query(
      `INSERT INTO audit_log AS known (actor, action, subject, details, address, occurrences, coalesced_by, at)
       SELECT 'anonymous', 'account.sign_in_refused', subject, jsonb_build_object('reason', reason), address,
         occurrences, id, to_timestamp(hour * 3600.0)
       FROM jsonb_to_recordset($1::jsonb) AS refused
         (id text, subject text, reason text, address text, hour int, occurrences int)
       ON CONFLICT (coalesced_by, at)
         DO UPDATE SET occurrences = known.occurrences + excluded.occurrences`,
      [JSON.stringify(batch.map(([id, entry]) => ({ id, ...entry })))],
    );
    for (const [id] of batch) noted.delete(id);
  }
}
