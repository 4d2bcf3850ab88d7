import type { DataSource, EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../audit/index.js';
import {
  createCredentialStore,
  createRevocationStore,
  type DeclaredForms,
  digestedOfImported,
  type Keyring,
} from '../credentials/index.js';
import { factsOf } from '../credentials/kinds.js';
import { createId } from '../db/id.js';
import type { InputLine } from '../http/body/input-lines.js';
import { readLine, type ImportedKey, type RefusedLine } from './import-line.js';

/** Counts of the lines read so far. */
export interface ImportReport {
  readonly read: number;
  readonly imported: number;
  /** Lines imported before, by an earlier run or an earlier line. */
  readonly alreadyThere: number;
  readonly refused: number;
}

interface Options {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly tenantId: string;
  /** The declared prefixes and patterns. A line without one means the first prefix, or else the first pattern. */
  readonly forms: DeclaredForms;
  readonly onRefused: (refused: RefusedLine) => void;
  readonly onProgress: (report: ImportReport) => void;
}

/** Rows per transaction, well within the statement timeout. */
const BATCH = 5000;

/**
 * Imports keys that another system issued and of which only the SHA-256 is known: one JSON object per line, with `sha256`
 * and the members of a new key. `hint` is shown in lists. `length` is only validated. Each batch is one transaction, and
 * running the import again continues after the last committed batch.
 *
 * Digests are keyed before they are stored.
 */
export async function importKeys(
  lines: AsyncIterable<InputLine>,
  { dataSource, keyring, tenantId, forms, onRefused, onProgress }: Options,
): Promise<ImportReport> {
  let report: ImportReport = { read: 0, imported: 0, alreadyThere: 0, refused: 0 };
  let batch: ImportedKey[] = [];
  const refuse = (line: number, reason: string) => {
    report = { ...report, refused: report.refused + 1 };
    onRefused({ line, reason });
  };
  const commit = async () => {
    const keys = batch;
    batch = [];
    await dataSource.transaction(async (manager) => {
      const { fresh, refused } = await judge(manager, keyring, tenantId, keys);
      const inserted = await insert(manager, keyring, tenantId, fresh);
      if (inserted > 0) await record(manager, tenantId, inserted, fresh);
      for (const { line, reason } of refused) refuse(line, reason);
      const alreadyThere = report.alreadyThere + keys.length - refused.length - inserted;
      report = { ...report, imported: report.imported + inserted, alreadyThere };
    });
    onProgress(report);
  };

  for await (const given of lines) {
    if ('text' in given && given.text.trim() === '') continue;
    report = { ...report, read: report.read + 1 };
    const key = 'text' in given ? readLine(given.text, given.line, forms) : given;
    if ('reason' in key) refuse(key.line, key.reason);
    else batch.push(key);
    if (batch.length >= BATCH) await commit();
  }
  await commit();
  return report;
}

/** Validates against the database: expiry, spaces, and keys that exist already. */
async function judge(
  manager: EntityManager,
  keyring: Keyring,
  tenantId: string,
  keys: readonly ImportedKey[],
): Promise<{ fresh: readonly ImportedKey[]; refused: readonly RefusedLine[] }> {
  const store = createCredentialStore(manager);
  const now = await store.now();
  const named = [...new Set(keys.flatMap(({ fields }) => fields.spaces ?? []))];
  const unknown = named.length === 0 ? [] : await store.unknownSpaces(tenantId, named);
  const ownerOf = await findOwners(manager, keyring, keys);
  const reasonAgainst = ({ sha256, fields: { expiresAt, spaces } }: ImportedKey) => {
    if (expiresAt !== null && expiresAt <= now) return 'expiresAt: is over';
    if (spaces?.some((space) => unknown.includes(space))) return 'spaces: no space of this tenant';
    return (ownerOf(sha256) ?? tenantId) === tenantId ? undefined : "sha256: another tenant's key";
  };
  const fresh = new Map<string, ImportedKey>();
  const refused: RefusedLine[] = [];
  for (const key of keys) {
    const reason = reasonAgainst(key);
    if (reason !== undefined) refused.push({ line: key.line, reason });
    else if (ownerOf(key.sha256) === undefined) fresh.set(key.sha256, key);
  }
  return { fresh: [...fresh.values()], refused };
}

/** The tenants of keys that are stored already, under any secret key. */
async function findOwners(
  manager: EntityManager,
  keyring: Keyring,
  keys: readonly ImportedKey[],
): Promise<(sha256: string) => string | undefined> {
  const digestsOf = (sha256: string) => keyring.digests(digestedOfImported(sha256));
  const rows = await manager.query<{ digest: string; owner: string }[]>(
    'SELECT digest, tenant_id AS owner FROM credentials WHERE digest = ANY ($1::text[])',
    [keys.flatMap(({ sha256 }) => digestsOf(sha256))],
  );
  const owners = new Map(rows.map(({ digest, owner }) => [digest, owner]));
  if (owners.size === 0) return () => undefined;
  return (sha256) =>
    digestsOf(sha256)
      .map((digest) => owners.get(digest))
      .find((owner) => owner !== undefined);
}

const joined = (list: readonly string[] | null) => list?.join(' ') ?? null;

/** @returns the number of inserted rows; a concurrent run may have inserted some before */
async function insert(
  manager: EntityManager,
  keyring: Keyring,
  tenantId: string,
  keys: readonly ImportedKey[],
): Promise<number> {
  if (keys.length === 0) return 0;
  // Takes the lock of the tenant, whose revocation would end the keys. The keys themselves are unknown until the commit.
  // Each row draws its own place in the order of issues under the lock.
  await createRevocationStore(manager).drawIssueOrder([tenantId]);
  const ids = keys.map(() => createId('key'));
  const columns: readonly (readonly unknown[])[] = [
    ids,
    keys.map(({ sha256 }) => keyring.digest(digestedOfImported(sha256)).digest),
    keys.map(({ fields }) => fields.name),
    keys.map(({ fields }) => fields.kind),
    keys.map(({ fields }) => fields.environment),
    keys.map(({ fields }) => joined(fields.scopes ?? [])),
    keys.map(({ fields }) => joined(fields.spaces)),
    keys.map(({ fields }) => joined(fields.allowedIps)),
    keys.map(({ fields }) => fields.bindings && JSON.stringify(fields.bindings)),
    keys.map(({ fields }) => fields.expiresAt?.toISOString() ?? null),
    keys.map(({ fields }) => fields.rateLimitPerMinute),
    keys.map(({ fields }) => factsOf(fields.kind).principal),
    keys.map(({ fields }, index) =>
      factsOf(fields.kind).speaksAs === 'itself' ? ids[index] : tenantId,
    ),
    keys.map(({ prefix }) => prefix),
    keys.map(({ pattern }) => pattern),
    keys.map(({ prefix, hint }) => `${prefix ?? ''}…${hint ?? ''}`),
  ];
  const [{ count }] = await manager.query<[{ count: number }]>(INSERT, [
    ...columns,
    tenantId,
    keyring.currentId,
    OPERATOR.id,
  ]);
  return count;
}

const INSERT = `
  WITH inserted AS (
    INSERT INTO credentials (id, digest, name, kind, environment, scopes, spaces, allowed_ips,
      bindings, expires_at, rate_limit_per_minute, principal_kind, principal_id, imported_prefix,
      imported_pattern, masked_key, tenant_id, digest_key_id, created_by, subjects, issue_seq)
    SELECT id, digest, name, kind, environment, string_to_array(scopes, ' '),
      string_to_array(spaces, ' '), string_to_array(allowed_ips, ' '), bindings, expires_at,
      rate_limit, principal_kind, principal_id, prefix, pattern, masked,
      $17, $18, $19, ARRAY[id, $17], nextval('issue_order')
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
      $8::text[], $9::jsonb[], $10::timestamptz[], $11::int[], $12::text[], $13::text[], $14::text[],
      $15::text[], $16::text[])
      AS imported (id, digest, name, kind, environment, scopes, spaces, allowed_ips, bindings,
        expires_at, rate_limit, principal_kind, principal_id, prefix, pattern, masked)
    ON CONFLICT ON CONSTRAINT credentials_digest_key DO NOTHING
    RETURNING 1)
  SELECT count(*)::int AS count FROM inserted`;

async function record(
  manager: EntityManager,
  tenantId: string,
  count: number,
  keys: readonly ImportedKey[],
): Promise<void> {
  const patterns = distinct(keys.map(({ pattern }) => pattern));
  await createAuditLog(manager).record(OPERATOR, {
    tenantId,
    action: 'api_key.import',
    subject: tenantId,
    details: {
      count,
      prefixes: distinct(keys.map(({ prefix }) => prefix)),
      ...(patterns.length > 0 && { patterns }),
    },
  });
}

function distinct(values: readonly (string | null)[]): readonly string[] {
  return [...new Set(values)].filter((value) => value !== null);
}
