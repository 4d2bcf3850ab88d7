import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  createLastUse,
  CREDENTIAL_USES,
  GRANT_USES,
} from '../../../src/credentials/store/last-use.js';

import { useGatehouse } from '../../support/app/use-gatehouse.js';

/** More than are remembered at once. */
const MANY = 200_500;

describe('last use', () => {
  const gatehouse = useGatehouse();
  beforeAll(async () => {
    await gatehouse.createTenant('acme');
    await gatehouse.database.query(
      `INSERT INTO credentials (id, tenant_id, kind, environment, name, scopes, principal_kind,
         principal_id, digest, digest_key_id, masked_key, subjects, issue_seq, created_by)
       SELECT 'key_' || n, t.id, 'secret', 'live', 'x', '{}', 'tenant', t.id, n::text, 'x', 'x', '{}', n, 'x'
       FROM generate_series(1, ${MANY}) AS n, tenants t`,
    );
  });

  it('is stored for more credentials than the memory holds', async () => {
    const lastUse = createLastUse(gatehouse.dataSource, CREDENTIAL_USES);
    for (let n = 1; n <= MANY - 500; n += 1) lastUse.note(`key_${n}`, '192.0.2.1');
    await lastUse.flush();
    // The first of these make the memory overflow; the hot ones are noted before and after.
    for (let n = MANY - 499; n <= MANY; n += 1) {
      lastUse.note('key_1', '192.0.2.2');
      lastUse.note(`key_${n}`, '192.0.2.2');
    }
    await lastUse.flush();

    const [row] = await gatehouse.database.query<{ all: string; last: string }>(
      `SELECT count(*) AS all, count(*) FILTER (WHERE credential_id = 'key_${MANY}') AS last
       FROM credential_uses`,
    );
    expect(row).toEqual({ all: String(MANY), last: '1' });
  });

  it('drops the use of a grant that was deleted meanwhile', async () => {
    const lastUse = createLastUse(gatehouse.dataSource, GRANT_USES);
    lastUse.note('grt_deleted', '192.0.2.1');

    await lastUse.flush();

    expect(lastUse.pending()).toBe(0);
    expect(await gatehouse.database.query('SELECT FROM grant_uses')).toEqual([]);
  });
});
