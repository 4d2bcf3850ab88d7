import { describe, expect, it } from '@jest/globals';
import { createHash, randomUUID } from 'node:crypto';

import { revokeInRounds, statusOf } from '../support/replicas/revocation-rounds.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

const ROUNDS = 1000;

describe('two server processes on one database', () => {
  const both = useTwoReplicas();

  it(`refuse a key on the very next request after it was revoked through the other, ${ROUNDS} times out of ${ROUNDS}`, async () => {
    const { a, b, gatehouse } = both;
    const admin = await gatehouse.createKey(await gatehouse.createTenant('rounds'));
    expect(await revokeInRounds({ a, b, admin, rounds: ROUNDS })).toEqual([[401, ROUNDS]]);
  }, 120_000);

  it('accept imported keys as soon as the import is done', async () => {
    const tenant = await both.gatehouse.createTenant('mover');
    const key = `old-${randomUUID()}`;
    const sha256 = createHash('sha256').update(key).digest('hex');
    const words = ['api-keys', 'import', '--tenant', tenant.slug, '--prefix', 'old-'];

    const line = JSON.stringify({ sha256, name: 'From before', scopes: ['contacts:read'] });
    expect(await both.cli(words, line)).toMatchObject({ code: 0 });

    expect(await Promise.all([statusOf(both.a, key), statusOf(both.b, key)])).toEqual([200, 200]);
  });
});
