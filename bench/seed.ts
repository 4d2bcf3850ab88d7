import pg from 'pg';

import type { Keyring } from '../src/credentials/secrets/keyring.js';
import type { SecretFormat } from '../src/credentials/secrets/format.js';
import { createId } from '../src/db/id.js';

const BATCH = 10_000;
const SAMPLE = 50_000;
const SCOPES = ['contacts:read', 'contacts:write', 'leads:read'];

/**
 * Fills the database with keys of one tenant.
 *
 * @returns up to 50,000 of the keys, spread over all of them, to make load with
 */
export async function seedKeys(
  target: pg.ClientConfig,
  { count, keyring, format }: { count: number; keyring: Keyring; format: SecretFormat },
): Promise<readonly string[]> {
  const client = new pg.Client(target);
  await client.connect();
  const tenantId = createId('tnt');
  await client.query('INSERT INTO tenants (id, slug, name) VALUES ($1, $2, $3)', [
    tenantId,
    `bench-${count}`,
    'Bench',
  ]);
  const sample: string[] = [];
  const every = Math.max(1, Math.floor(count / SAMPLE));
  for (let done = 0; done < count; done += BATCH) {
    const secrets = Array.from({ length: Math.min(BATCH, count - done) }, () =>
      format.mint('live'),
    );
    sample.push(...secrets.filter((_, index) => (done + index) % every === 0));
    await client.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
         principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
       SELECT id, $1, 'secret', 'live', 'Key ' || id, $2, 'tenant', $1, digest, $3, 'bwp_live_…',
         ARRAY[id, $1], nextval('issue_order'), 'bench'
       FROM unnest($4::text[], $5::text[]) AS k (id, digest)`,
      [
        tenantId,
        SCOPES,
        keyring.currentId,
        secrets.map(() => createId('key')),
        secrets.map((secret) => keyring.digest(secret).digest),
      ],
    );
  }
  await client.query('VACUUM ANALYZE');
  // Else it would be written out while others are measured.
  await client.query('CHECKPOINT');
  await client.end();
  return sample.toSorted(() => Math.random() - 0.5);
}
