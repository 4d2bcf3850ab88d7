import { describe, expect, it } from '@jest/globals';

import { createKeyring } from '../../src/credentials/secrets/keyring.js';
import { createRegistrationTokens } from '../../src/clients/registration/token.js';
import type { Client } from '../../src/clients/client.entity.js';
import { TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import {
  createTestAppBehindProxy,
  managing,
  register,
  registerConfidential,
} from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const OPEN = { client_name: 'App', redirect_uris: ['http://localhost:1234/cb'] };

describe('the secrets of clients', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1', LOG_LEVEL: 'trace' });

  it('are in no row and no log line, only keyed digests with the id of their key', async () => {
    const confidential = (await registerConfidential(gatehouse)).body;
    const open = (await register(gatehouse, OPEN)).body;
    const secrets = [
      confidential.client_secret,
      confidential.registration_access_token,
      open.registration_access_token,
    ] as string[];
    for (const { client_id, registration_access_token } of [confidential, open]) {
      const endpoint = managing(gatehouse, client_id, registration_access_token);
      await endpoint.get();
      await endpoint.put({ ...OPEN, client_secret: confidential.client_secret });
      await managing(gatehouse, client_id, `${registration_access_token}x`).get();
    }

    const found = (await gatehouse.database.dump()) + gatehouse.logged.join('\n');
    expect(found).toContain(confidential.client_id);
    for (const secret of secrets) {
      const digits = secret.slice(secret.lastIndexOf('_') + 1, -6);
      expect(found).not.toContain(digits.slice(0, 20));
      const bytes = gatehouse.format.read(secret.split('_')[1] ?? '', secret);
      expect(bytes).toHaveLength(32);
      expect(found).not.toContain(bytes?.toString('hex'));
    }
    const [row] = await gatehouse.database.query('SELECT * FROM clients WHERE id = $1', [
      confidential.client_id,
    ]);
    const keyId = gatehouse.keyring.currentId;
    expect(row).toMatchObject({
      secret_digest: gatehouse.keyring.digest(confidential.client_secret as string).digest,
      secret_digest_key_id: keyId,
      registration_digest: gatehouse.keyring.digest(
        confidential.registration_access_token as string,
      ).digest,
      registration_digest_key_id: keyId,
    });
    const [shared] = await gatehouse.database.query('SELECT * FROM clients WHERE id = $1', [
      open.client_id,
    ]);
    expect(shared).toMatchObject({ secret_digest: null, registration_digest: null });
  });

  it('survive the removal of a secret key, and move to the current one', async () => {
    const newKey = 'a newer secret key that comes before the old one';
    const confidential = (await registerConfidential(gatehouse)).body;
    const { client_id, registration_access_token: token } = confidential;
    const open = (await register(gatehouse, OPEN)).body;
    const digestKey = async () =>
      (
        await gatehouse.database.query<{ key: string }>(
          'SELECT registration_digest_key_id AS key FROM clients WHERE id = $1',
          [client_id],
        )
      )[0]?.key;

    const rotated = createKeyring([newKey, TEST_SECRET_KEY]);
    const old = createRegistrationTokens(gatehouse);
    const both = createRegistrationTokens({ keyring: rotated, format: gatehouse.format });
    const client = { id: open.client_id } as Client;
    expect(both.admits(client, open.registration_access_token as string)).toBe(true);
    expect(both.admits(client, both.derive(client.id))).toBe(true);
    expect(old.admits(client, both.derive(client.id))).toBe(false);

    // Simulates a new first secret key.
    const past = createKeyring([newKey]).digest(token as string);
    await gatehouse.database.query(
      'UPDATE clients SET registration_digest = $2, registration_digest_key_id = $3 WHERE id = $1',
      [client_id, past.digest, past.keyId],
    );
    expect((await managing(gatehouse, client_id, token).get()).status).toBe(401);
    const app = await createTestAppBehindProxy({ SECRET_KEYS: `${TEST_SECRET_KEY},${newKey}` });
    await copyClient(gatehouse, app, client_id as string);
    expect((await managing(app, client_id, token).get()).status).toBe(200);
    const [moved] = await app.database.query<{ key: string }>(
      'SELECT registration_digest_key_id AS key FROM clients WHERE id = $1',
      [client_id],
    );
    await app.close();
    expect([await digestKey(), moved?.key]).toEqual([past.keyId, gatehouse.keyring.currentId]);
  });
});

async function copyClient(from: TestApp, to: TestApp, id: string): Promise<void> {
  const [row] = await from.database.query<{ row: string }>(
    'SELECT to_jsonb(c)::text AS row FROM clients c WHERE id = $1',
    [id],
  );
  await to.database.query(
    'INSERT INTO clients SELECT * FROM jsonb_populate_record(NULL::clients, $1::jsonb)',
    [row?.row],
  );
}
