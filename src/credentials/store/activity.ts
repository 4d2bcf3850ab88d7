import type { DataSource } from 'typeorm';
import type { Logger } from 'pino';

import type { BackgroundWork } from '../../db/background-work.js';
import { ownText } from '../../db/own-text.js';
import type { Digest, Keyring } from '../secrets/keyring.js';
import { createLastUse, CREDENTIAL_USES, GRANT_USES, OPERATOR_KEY_USES } from './last-use.js';
import type { Principal } from '../principal.js';
import { createUsageCounts, type UsageCounts } from './usage-counts.js';

/**
 * Collects the writes of verification in memory and flushes them in the background: last uses, refusals of known
 * credentials with their reasons, counts of answers, and digests that move to the current key.
 */
export interface ActivityRecorder {
  noteUse(credentialId: string, address: string): void;
  /** Notes the use of an access token, by its grant. */
  noteGrantUse(grantId: string, address: string): void;
  noteOperatorKeyUse(keyId: string, address: string): void;
  /** Seconds since the credential's last use in this process; `undefined` if none is recorded. */
  secondsSinceUse(credentialId: string): number | undefined;
  noteRefusal(
    principal: Pick<Principal, 'credentialId'> & { readonly tenantId: string | null },
    reason: string,
    address: string,
  ): void;
  noteOldDigest(credentialId: string, digested: string): void;
  /** Counts an answer to a known credential, for the history of usage. */
  noteAnswer: UsageCounts['note'];
  /** Writes the collected activity. After an error it is kept for the next flush. */
  flush(): Promise<void>;
}

interface Refused {
  /** `null` for a key of the operator's. */
  readonly tenantId: string | null;
  readonly credentialId: string;
  readonly reason: string;
  /** Minutes since the epoch. */
  readonly minute: number;
  readonly address: string;
  occurrences: number;
}

/** Maximum of distinct refusals between two flushes. Further ones are dropped. */
const MAX_REFUSALS = 100_000;

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly log: Logger;
  readonly work: BackgroundWork;
}

export function createActivityRecorder(dependencies: Dependencies): ActivityRecorder {
  const { dataSource, keyring, log, work } = dependencies;
  const lastUse = createLastUse(dataSource, CREDENTIAL_USES);
  const grantUse = createLastUse(dataSource, GRANT_USES);
  const operatorUse = createLastUse(dataSource, OPERATOR_KEY_USES);
  const usage = createUsageCounts(dataSource);
  let refusals = new Map<string, Refused>();
  let digests = new Map<string, Digest>();
  let running: Promise<void> = Promise.resolve();
  work.watchPending('last_use', () =>
    [lastUse, grantUse, operatorUse].reduce((sum, uses) => sum + uses.pending(), 0),
  );
  work.watchPending('usage_counts', () => usage.pending());
  work.watchPending('refused_uses', () => refusals.size);
  work.watchPending('moved_digests', () => digests.size);

  /** Writes each kind of activity separately, so that a failure does not prevent the others. */
  async function flushNow(): Promise<void> {
    const [refusalsNow, digestsNow] = [refusals, digests];
    [refusals, digests] = [new Map(), new Map()];
    await attempt(
      log,
      () => work.run('moved_digests', () => writeDigests(dataSource, digestsNow)),
      () => {
        digests = new Map([...digestsNow, ...digests]);
      },
    );
    await attempt(
      log,
      () => work.run('refused_uses', () => writeRefusals(dataSource, refusalsNow)),
      () => {
        for (const [id, refused] of refusalsNow) addTo(refusals, id, refused);
      },
    );
    await attempt(log, () =>
      work.run('last_use', async () => {
        await Promise.all([lastUse, grantUse, operatorUse].map((uses) => uses.flush()));
      }),
    );
    await attempt(log, () => work.run('usage_counts', () => usage.flush()));
  }

  return {
    noteUse: (credentialId, address) => lastUse.note(credentialId, address),
    noteGrantUse: (grantId, address) => grantUse.note(grantId, address),
    noteOperatorKeyUse: (keyId, address) => operatorUse.note(keyId, address),
    secondsSinceUse: (credentialId) => lastUse.secondsSince(credentialId),
    noteAnswer: (principal, status) => usage.note(principal, status),
    noteRefusal(principal, reason, address) {
      if (refusals.size >= MAX_REFUSALS) return;
      const refused = createRefused(principal, reason, address);
      addTo(refusals, ownText(`${refused.credentialId} ${reason} ${refused.minute}`), refused);
    },
    noteOldDigest(credentialId, digested) {
      // Only the digest is kept, never the secret.
      const id = ownText(credentialId);
      if (!digests.has(id)) digests.set(id, keyring.digest(digested));
    },
    flush() {
      running = running.then(flushNow);
      return running;
    },
  };
}

function createRefused(
  { credentialId, tenantId }: Pick<Refused, 'credentialId' | 'tenantId'>,
  reason: string,
  address: string,
): Refused {
  return {
    tenantId: tenantId && ownText(tenantId),
    credentialId: ownText(credentialId),
    reason,
    minute: Math.floor(Date.now() / 60_000),
    address,
    occurrences: 1,
  };
}

/** Writes activity. After an error it is logged and kept. */
async function attempt(
  log: Logger,
  write: () => Promise<void>,
  keep: () => void = () => undefined,
): Promise<void> {
  try {
    await write();
  } catch (error) {
    log.warn({ err: error }, 'activity could not be written; it is kept for the next time');
    keep();
  }
}

function addTo(refusals: Map<string, Refused>, id: string, refused: Refused): void {
  const known = refusals.get(id);
  if (known === undefined) refusals.set(id, refused);
  else known.occurrences += refused.occurrences;
}

/** Rows per statement. Small enough to stay well within the statement timeout. */
const BATCH = 2000;

/** Writes batches in the order of ids, so that replicas do not deadlock, and removes what was written. */
async function inBatches<Value>(
  values: Map<string, Value>,
  write: (batch: readonly (readonly [string, Value])[]) => Promise<unknown>,
): Promise<void> {
  const all = [...values].toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (let start = 0; start < all.length; start += BATCH) {
    const batch = all.slice(start, start + BATCH);
    await write(batch);
    for (const [id] of batch) values.delete(id);
  }
}

/** The tables of credentials whose digests move. Their ids differ by prefix. */
const DIGEST_TABLES = ['credentials', 'resource_server_credentials', 'operator_keys'] as const;

function writeDigests(dataSource: DataSource, digests: Map<string, Digest>): Promise<void> {
  return inBatches(digests, async (batch) => {
    const values = [
      batch.map(([id]) => id),
      batch.map(([, { digest }]) => digest),
      batch.map(([, { keyId }]) => keyId),
    ];
    for (const table of DIGEST_TABLES) {
      await dataSource.query(
        // Locked first in the order of ids. An UPDATE locks rows in the order of its plan.
        `WITH locked AS (SELECT id FROM ${table} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE)
         UPDATE ${table} c SET digest = fresh.digest, digest_key_id = fresh.key_id
         FROM unnest($1::text[], $2::text[], $3::text[]) AS fresh (id, digest, key_id)
           JOIN locked ON locked.id = fresh.id
         WHERE c.id = fresh.id AND c.digest_key_id <> fresh.key_id`,
        values,
      );
    }
  });
}

/**
 * Writes one audit entry a minute on the first day that a credential is refused for a reason, then one an hour. The
 * time of an entry is the beginning of its minute or hour, by which the audit log is partitioned.
 */
function writeRefusals(dataSource: DataSource, refusals: Map<string, Refused>): Promise<void> {
  return inBatches(refusals, (batch) =>
    dataSource.query(WRITE_REFUSALS, [JSON.stringify(batch.map(([, refused]) => refused))]),
  );
}

// Minutes since the epoch have eight digits, so that they sort as text like numbers.
const WRITE_REFUSALS = `
  WITH refused AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS refused
      ("tenantId" text, "credentialId" text, reason text, minute int, address text, occurrences int)),
  dated AS (
    SELECT *, CASE WHEN EXISTS (
        SELECT FROM audit_log earlier
        WHERE earlier.coalesced_by >= "credentialId" || ' ' || reason || ' '
          AND earlier.coalesced_by < "credentialId" || ' ' || reason || ' ' || (minute - ${24 * 60}))
      THEN minute - minute % 60 ELSE minute END AS began
    FROM refused)
  INSERT INTO audit_log AS known
    (tenant_id, actor, action, subject, details, address, occurrences, coalesced_by, at)
  SELECT min("tenantId"), "credentialId", 'credential.refused', "credentialId",
    jsonb_build_object('reason', reason), min(address), sum(occurrences),
    "credentialId" || ' ' || reason || ' ' || began, to_timestamp(began * 60.0)
  FROM dated GROUP BY "credentialId", reason, began
  ORDER BY "credentialId", reason, began
  ON CONFLICT (coalesced_by, at)
    DO UPDATE SET occurrences = known.occurrences + excluded.occurrences`;
