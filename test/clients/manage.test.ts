import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Response } from 'supertest';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { createConsentStore } from '../../src/grants/consent-store.js';
import { OAUTH_SCOPES } from '../../src/scopes/catalog.js';
import { managing, register, registerConfidential } from '../support/app/clients.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PUBLIC = { client_name: 'App', redirect_uris: ['http://localhost:1234/cb'] };
const CHANGED = { client_name: 'Changed', redirect_uris: ['https://changed.example.com/cb'] };

describe('/api/v1/oauth/register/:clientId', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let confidential: Response['body'];
  let open: Response['body'];
  beforeEach(async () => {
    confidential = (await registerConfidential(gatehouse)).body;
    open = (await register(gatehouse, PUBLIC)).body;
  });

  /** The management endpoint of a client with its own token, or another's. */
  const of = (client: Response['body'], token = client.registration_access_token as string) =>
    managing(gatehouse, client.client_id as string, token);

  const rowOf = async ({ client_id }: Response['body']) =>
    (await gatehouse.database.query('SELECT * FROM clients WHERE id = $1', [client_id]))[0];

  describe('GET', () => {
    it('shows a confidential client its metadata and token, without its secret', async () => {
      const answer = await of(confidential).get();

      expect(answer.status).toBe(200);
      expect(answer.headers['cache-control']).toBe('no-store');
      const { client_secret, client_secret_expires_at, ...rest } = confidential;
      expect(client_secret).toEqual(expect.any(String));
      expect(client_secret_expires_at).toBe(0);
      expect(answer.body).toEqual(rest);
    });

    it('shows a public client the shared metadata', async () => {
      const answer = await of(open).get();

      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({ ...open, redirect_uris: ['http://localhost/cb'] });
    });
  });

  describe('PUT', () => {
    it('replaces all metadata, and keeps the token and the secret', async () => {
      const full = {
        scope: 'leads:read',
        client_uri: 'https://app.example.com/',
        contacts: ['a@b.co'],
      };
      confidential = (await registerConfidential(gatehouse, full)).body;
      const answer = await of(confidential).put(CHANGED);

      expect(answer.status).toBe(200);
      expect(answer.headers['cache-control']).toBe('no-store');
      const { client_id, client_id_issued_at } = confidential;
      const { registration_access_token, registration_client_uri } = confidential;
      expect(answer.body).toEqual({
        client_id,
        client_id_issued_at,
        registration_access_token,
        registration_client_uri,
        ...CHANGED,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
        application_type: 'web',
        scope: OAUTH_SCOPES.join(' '),
        id_token_signed_response_alg: 'RS256',
      });
      expect((await of(confidential).get()).body).toEqual(answer.body);
      const row = await rowOf(confidential);
      expect(row).toMatchObject({ name: 'Changed' });
    });

    it('accepts its own response, and ignores members that only the server sets', async () => {
      const before = await rowOf(confidential);
      const answer = await of(confidential).put({
        ...confidential,
        client_id_issued_at: 1,
        client_secret_expires_at: 1,
        registration_access_token: 'mine',
        registration_client_uri: 'https://evil.example/',
      });

      expect(answer.status).toBe(200);
      expect(await rowOf(confidential)).toEqual(before);
      expect(answer.text).not.toContain('evil');
      expect((await of(confidential).get()).status).toBe(200);
    });

    it('asks users again after a change that they see', async () => {
      const { dataSource, database } = gatehouse;
      const id = confidential.client_id as string;
      const tenant = await gatehouse.createTenant(`agreed-${id.slice(-6).toLowerCase()}`);
      const account = await createAccountStore(dataSource.manager).create({
        email: `${id}@example.com`,
        name: null,
        password: 'correct horse battery staple',
      });
      const key = { tenantId: tenant.id, accountId: account.id, clientId: id };
      await createConsentStore(dataSource.manager).remember(key, {
        offered: ['leads:read'],
        granted: ['leads:read'],
        grantedToServers: {},
      });
      const count = async () =>
        (await database.query('SELECT FROM consents WHERE client_id = $1', [id])).length;

      const { client_name, redirect_uris } = confidential;
      await of(confidential).put({ client_name, redirect_uris, software_id: 'build-7' });
      expect(await count()).toBe(1);
      await of(confidential).put(CHANGED);
      expect(await count()).toBe(0);
    });

    it('records the change in the audit log, and revokes the verification', async () => {
      const { client_id } = confidential;
      const verify = () =>
        gatehouse.database.query('UPDATE clients SET is_verified = true WHERE id = $1', [
          client_id,
        ]);
      await verify();
      const same = { client_name: 'Backend', redirect_uris: confidential.redirect_uris };
      await of(confidential).put({ ...same, software_version: '2' });
      expect(await rowOf(confidential)).toMatchObject({ is_verified: true });
      for (const shown of [
        { client_name: 'Bank' },
        { redirect_uris: ['https://evil.example/cb'] },
        { client_uri: 'https://bank.example/' },
        { logo_uri: 'https://bank.example/logo' },
      ]) {
        await of(confidential).put(same);
        await verify();
        await of(confidential).put({ ...same, ...shown });
        expect(await rowOf(confidential)).toMatchObject({ is_verified: false });
      }

      const [entry] = await gatehouse.database.query(
        `SELECT actor, tenant_id, details FROM audit_log
         WHERE action = 'client.update' AND subject = $1 ORDER BY id LIMIT 1`,
        [client_id],
      );
      expect(entry).toEqual({
        actor: client_id,
        tenant_id: null,
        // Only the names: the values are unbounded.
        details: { changed: ['software_version'] },
      });
    });

    it.each([
      ['invalid_client_metadata', { client_id: 'cli_01ARZ3NDEKTSV4RRFFQ69G5FAV' }],
      ['invalid_client_metadata', { client_secret: 'bwp_cs_mine' }],
      ['invalid_client_metadata', { client_secret: 7 }],
      ['invalid_client_metadata', { token_endpoint_auth_method: 'none' }],
      ['invalid_client_metadata', { token_endpoint_auth_method: 'private_key_jwt' }],
      ['invalid_client_metadata', { client_name: 7 }],
      ['invalid_redirect_uri', { redirect_uris: ['javascript:alert(1)'] }],
      ['invalid_redirect_uri', { redirect_uris: null }],
    ])('answers 400 %s for %j, and changes nothing', async (error, more) => {
      const before = await rowOf(confidential);
      const answer = await of(confidential).put({ ...CHANGED, ...more });

      expect(answer.status).toBe(400);
      expect(answer.body.error).toBe(error);
      expect(await rowOf(confidential)).toEqual(before);
    });

    it('answers 400 for no body and a list, 415 for a form', async () => {
      const { client_id, registration_access_token } = confidential;
      const put = () =>
        gatehouse.http
          .put(`/api/v1/oauth/register/${client_id}`)
          .set('Authorization', `Bearer ${registration_access_token}`);
      expect((await put()).status).toBe(400);
      expect((await put().send([CHANGED])).status).toBe(400);
      expect((await put().type('form').send({ client_name: 'x' })).status).toBe(415);
    });

    it('may change how the client authenticates with its secret', async () => {
      const method = { token_endpoint_auth_method: 'client_secret_post' };
      const answer = await of(confidential).put({ ...CHANGED, ...method });
      expect(answer.body).toMatchObject(method);
    });
  });

  describe('DELETE', () => {
    it('deletes the client and revokes all its tokens at once', async () => {
      const { client_id } = confidential;
      const answer = await of(confidential).delete();

      expect(answer.status).toBe(204);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(await rowOf(confidential)).toBeUndefined();
      expect((await of(confidential).get()).status).toBe(401);
      const revoked = 'SELECT subject, revoked_by FROM revocations WHERE subject = $1';
      expect(await gatehouse.database.query(revoked, [client_id])).toEqual([
        { subject: client_id, revoked_by: client_id },
      ]);
      const audited = `SELECT tenant_id, actor FROM audit_log
        WHERE subject = $1 AND action = 'client.delete'`;
      expect(await gatehouse.database.query(audited, [client_id])).toEqual([
        { tenant_id: null, actor: client_id },
      ]);
    });

    it('takes effect once for concurrent requests', async () => {
      const { client_id } = confidential;
      const issuing = gatehouse.dataSource.createQueryRunner();
      await issuing.startTransaction();
      // A token is being issued under it: all deletions are admitted, and wait for that.
      await createRevocationStore(issuing.manager).drawIssueOrder([client_id as string]);
      const deleting = Promise.all(Array.from({ length: 4 }, () => of(confidential).delete()));
      await until(async () => {
        const waiting = await gatehouse.database.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
        );
        return waiting.length === 4;
      });
      await issuing.commitTransaction();
      await issuing.release();
      const answers = await deleting;

      expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 401, 401, 401]);
      const rows = await gatehouse.database.query('SELECT FROM revocations WHERE subject = $1', [
        confidential.client_id,
      ]);
      expect(rows).toHaveLength(1);
    });

    it('beside concurrent changes leaves a changed client or no client, without errors', async () => {
      const answers = await Promise.all(
        Array.from({ length: 9 }, (_, n) =>
          n === 4 ? of(confidential).delete() : of(confidential).put(CHANGED),
        ),
      );
      expect(answers[4]?.status).toBe(204);
      for (const { status } of answers.toSpliced(4, 1)) expect([200, 401]).toContain(status);
      expect(await rowOf(confidential)).toBeUndefined();
    });
  });
});
