import { describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';

import { LOOKUP_QUERIES } from '../../../src/server/lookup-queries.js';
import { createBatchedLookup } from '../../../src/credentials/verification/lookup.js';
import { registerClient } from '../../support/oauth/oauth.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

describe('a batch of lookups', () => {
  const gatehouse = useGatehouse();

  it('may combine all queries', async () => {
    const { keyring, verifierPool: pool } = gatehouse;
    const key = await gatehouse.createKey(await gatehouse.createTenant('acme'));
    const { client_secret: secret = '' } = await registerClient(gatehouse, {
      token_endpoint_auth_method: 'client_secret_basic',
    });
    const lookup = createBatchedLookup({ pool, queries: LOOKUP_QUERIES, register: new Registry() });

    const [ofKey, ofToken, ofClient] = await Promise.all([
      lookup.find('keys', keyring.digests(key.secret)),
      lookup.find('tokens', keyring.digests('no such token')),
      lookup.find('clients', keyring.digests(secret)),
    ]);

    expect(ofKey?.[0]).toBe(keyring.digest(key.secret).digest);
    expect(ofToken).toBeUndefined();
    expect(ofClient?.[0]).toBe(keyring.digest(secret).digest);
  });
});
