import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { DataSource } from 'typeorm';

import { ownText } from '../../db/own-text.js';
import { keyIdOf, type Principal } from '../principal.js';

/**
 * Counts answers by hour, and writes the counts in the background. A crash loses the answers since the last flush.
 *
 * A row belongs to one process and holds its total of the hour, so that a flush of which the outcome is unknown can be
 * repeated.
 */
export interface UsageCounts {
  /** @param status the HTTP status of the answer. Answers of 5xx are not counted */
  note(principal: Counted, status: number): void;
  /** How many counts wait to be written. */
  pending(): number;
  /** Writes the counts that changed since the previous flush. After an error they are kept. */
  flush(): Promise<void>;
}

/** The facts of a principal by which its answers are counted. */
export type Counted = Pick<
  Principal,
  'credentialId' | 'tenantId' | 'environment' | 'token' | 'exchanged'
>;

/** The subjects of one tenant and environment in one hour. perf: held once, not by each of their counts. */
interface Owner {
  readonly tenantId: string;
  readonly environment: string;
  /** Hours since the epoch. */
  readonly hour: number;
  readonly process: string;
}

/** The answers of one subject in one hour. */
interface Counts {
  readonly owner: Owner;
  /** The id of a key, of an app, or of the tenant, which has the sum. */
  readonly subject: string;
  /** The counts of the tenant; `undefined` for these themselves. */
  readonly sum: Counts | undefined;
  successes: number;
  clientErrors: number;
  denials: number;
  rateLimited: number;
  isPending: boolean;
}

/** The maximum of subjects in one hour. Beyond it, written counts are forgotten and their subjects get another row. */
const MAX_SUBJECTS = 200_000;

/** Rows per statement. */
const BATCH = 2000;

const HOUR_MS = 3_600_000;

export function createUsageCounts(dataSource: Pick<DataSource, 'query'>): UsageCounts {
  // perf: counted in place, found by one lookup. Ids of credentials are unique; those of apps are joined with the rest.
  let current = begin(hourOf(Date.now()));
  let pending: Counts[] = [];
  let endsAt = (current.hour + 1) * HOUR_MS;

  function markPending(counts: Counts): void {
    if (counts.isPending || pending.length >= MAX_SUBJECTS) return;
    counts.isPending = true;
    pending.push(counts);
  }

  return {
    note(principal, status) {
      const now = Date.now();
      if (now >= endsAt || now < endsAt - HOUR_MS) {
        current = begin(hourOf(now));
        endsAt = (current.hour + 1) * HOUR_MS;
      }
      const counts = countsOf(current, principal);
      if (counts === undefined || !add(counts, status)) return;
      markPending(counts);
      if (counts.sum === undefined) return;
      add(counts.sum, status);
      markPending(counts.sum);
    },
    pending: () => pending.length,
    async flush() {
      const all = pending;
      pending = [];
      for (let start = 0; start < all.length; start += BATCH) {
        const batch = all.slice(start, start + BATCH);
        for (const counts of batch) counts.isPending = false;
        try {
          await write(dataSource, batch);
        } catch (error) {
          for (const counts of all.slice(start + BATCH)) counts.isPending = false;
          for (const counts of all.slice(start)) markPending(counts);
          throw error;
        }
        await turn();
      }
      if (pending.length === 0 && current.counts.size >= MAX_SUBJECTS)
        current = begin(current.hour);
    },
  };
}

type Hour = ReturnType<typeof begin>;

function begin(hour: number) {
  return { hour, process: randomBytes(7).readUIntBE(0, 6), counts: new Map<string, Counts>() };
}

/** @param ids copied if kept: `id` names the counts in memory, `subject` is what they are written for */
function open(
  current: Hour,
  ids: { readonly id: string; readonly subject: string },
  sum: Counts | undefined,
  ownerOf: () => Owner,
): Counts {
  const known = current.counts.get(ids.id);
  if (known !== undefined) return known;
  const id = ownText(ids.id);
  const counts: Counts = {
    owner: sum?.owner ?? ownerOf(),
    subject: ids.subject === ids.id ? id : ownText(ids.subject),
    sum,
    successes: 0,
    clientErrors: 0,
    denials: 0,
    rateLimited: 0,
    isPending: false,
  };
  current.counts.set(id, counts);
  return counts;
}

function countsOf(current: Hour, counted: Counted): Counts | undefined {
  const { tenantId, environment, token } = counted;
  const keyId = keyIdOf(counted);
  const id = token === undefined ? keyId : `${tenantId} ${environment} ${token.clientId}`;
  const known = current.counts.get(id);
  if (known !== undefined) return known;
  if (current.counts.size >= MAX_SUBJECTS) return undefined;
  const ownerOf = () => ({
    tenantId: ownText(tenantId),
    environment: ownText(environment),
    hour: current.hour,
    process: String(current.process),
  });
  const ids = { id: `${tenantId} ${environment}`, subject: tenantId };
  const sum = open(current, ids, undefined, ownerOf);
  return open(current, { id, subject: token?.clientId ?? keyId }, sum, ownerOf);
}

function hourOf(time: number): number {
  return Math.floor(time / HOUR_MS);
}

/** @returns whether answers of this status are counted */
function add(counts: Counts, status: number): boolean {
  if (status >= 200 && status < 300) counts.successes += 1;
  else if (status === 401 || status === 403) counts.denials += 1;
  else if (status === 429) counts.rateLimited += 1;
  else if (status >= 400 && status < 500) counts.clientErrors += 1;
  else return false;
  return true;
}

async function write(
  dataSource: Pick<DataSource, 'query'>,
  batch: readonly Counts[],
): Promise<void> {
  const owners = [...new Set(batch.map(({ owner }) => owner))];
  const numbers = new Map(owners.map((owner, index) => [owner, index + 1]));
  const lines = (valueOf: (counts: Counts) => string | number) => batch.map(valueOf).join('\n');
  const ofOwners = (valueOf: (owner: Owner) => string | number) => owners.map(valueOf).join('\n');
  await dataSource.query(
    // Ordered by the key, so that replicas do not deadlock. perf: as in `last-use`, lines are cheap to write and read.
    `INSERT INTO usage_counts AS known
       (tenant_id, environment, subject, hour, process, successes, client_errors, denials, rate_limited)
     SELECT tenant, environment, subject, to_timestamp(hour * 3600.0), process, successes, errors, denials, limited
     FROM unnest(string_to_array($1, E'\\n')::int[], string_to_array($2, E'\\n'),
       string_to_array($3, E'\\n')::bigint[], string_to_array($4, E'\\n')::bigint[],
       string_to_array($5, E'\\n')::bigint[], string_to_array($6, E'\\n')::bigint[])
       AS given (owner, subject, successes, errors, denials, limited)
     JOIN unnest(string_to_array($7, E'\\n'), string_to_array($8, E'\\n'),
       string_to_array($9, E'\\n')::bigint[], string_to_array($10, E'\\n')::bigint[])
       WITH ORDINALITY AS owners (tenant, environment, hour, process, number) ON number = owner
     -- Without a partition for its hour, one row would hold up all others for ever.
     WHERE to_timestamp(hour * 3600.0) BETWEEN gatehouse_now() - interval '1 day' AND gatehouse_now() + interval '1 day'
     ORDER BY tenant, environment, subject, hour, process
     ON CONFLICT (tenant_id, environment, subject, hour, process) DO UPDATE SET
       successes = greatest(known.successes, excluded.successes),
       client_errors = greatest(known.client_errors, excluded.client_errors),
       denials = greatest(known.denials, excluded.denials),
       rate_limited = greatest(known.rate_limited, excluded.rate_limited)`,
    [
      lines(({ owner }) => numbers.get(owner) ?? 0),
      lines(({ subject }) => subject),
      lines(({ successes }) => successes),
      lines(({ clientErrors }) => clientErrors),
      lines(({ denials }) => denials),
      lines(({ rateLimited }) => rateLimited),
      ofOwners(({ tenantId }) => tenantId),
      ofOwners(({ environment }) => environment),
      ofOwners(({ hour }) => hour),
      ofOwners(({ process }) => process),
    ],
  );
}
