import { beforeAll, describe, expect, it } from '@jest/globals';

import { createGrantStore } from '../../src/grants/grant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { isScope } from '../../src/scopes/catalog.js';
import { createCli } from '../support/app/cli.js';
import { createUser, registerClient } from '../support/oauth/oauth.js';
import { holdLock, revokeUnder, waitersFor } from '../support/oauth/subject-lock.js';
import {
  createInstaller,
  redeem,
  refresh,
  revoke,
  statusOf,
  type Installer,
} from '../support/oauth/token-families.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('issuing beside a revocation', () => {
  const gatehouse = useGatehouse();
  let tenant: Tenant;
  let installer: Installer;
  let cli: ReturnType<typeof createCli>;
  beforeAll(async () => {
    tenant = await gatehouse.createTenant('acme');
    installer = await newInstaller();
    cli = createCli(gatehouse.database);
  });

  async function newInstaller(): Promise<Installer> {
    await gatehouse.database.query('DELETE FROM attempts');
    const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
    return createInstaller(gatehouse, { client: await registerClient(gatehouse), user });
  }

  /** The row of a code or refresh token. */
  async function rowOf(secret = '') {
    const digests = gatehouse.keyring.digests(secret);
    const [row] = await gatehouse.database.query<{ grant_id: string; consumed_at: Date | null }>(
      `SELECT grant_id, consumed_at FROM refresh_tokens WHERE digest = ANY ($1)
       UNION ALL SELECT grant_id, consumed_at FROM oauth_artifacts WHERE digest = ANY ($1)`,
      [digests],
    );
    if (row === undefined) throw new Error('no such code or refresh token');
    return row;
  }

  async function countTokens(grantId: string): Promise<number> {
    const [row] = await gatehouse.database.query<{ count: number }>(
      `SELECT ((SELECT count(*) FROM access_tokens WHERE grant_id = $1)
             + (SELECT count(*) FROM refresh_tokens WHERE grant_id = $1))::int AS count`,
      [grantId],
    );
    return row?.count ?? 0;
  }

  it('issues and consumes nothing for a refresh that waits while its family ends', async () => {
    const { access_token: access, refresh_token: token } = await installer.install();
    const { grant_id: grant } = await rowOf(token);
    const before = await countTokens(grant);

    const lock = await holdLock(gatehouse.database, grant);
    const waiting = refresh(gatehouse, installer.client, token);
    await lock.awaited();
    await revokeUnder(lock, grant);
    await lock.release();

    expect(await waiting).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await countTokens(grant)).toBe(before);
    expect(await rowOf(token)).toMatchObject({ consumed_at: null });
    expect(await statusOf(gatehouse, access)).toBe(401);
    expect((await refresh(gatehouse, installer.client, token)).error).toBe('invalid_grant');
  });

  it('issues and consumes nothing for a code that waits while its grant ends', async () => {
    const code = await installer.authorize();
    const { grant_id: grant } = await rowOf(code.code);
    const lock = await holdLock(gatehouse.database, grant);
    const waiting = redeem(gatehouse, installer.client, code);
    await lock.awaited();
    await revokeUnder(lock, grant);
    await lock.release();

    expect(await waiting).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await countTokens(grant)).toBe(0);
    expect(await rowOf(code.code)).toMatchObject({ consumed_at: null });
  });

  it('ends what a refresh has issued when the revocation waited for it', async () => {
    const { refresh_token: token = '' } = await installer.install();
    const { grant_id: grant } = await rowOf(token);
    // As a refresh holds it that is under way: others can continue, a revocation cannot.
    const lock = await holdLock(gatehouse.database, grant, 'shared');
    const revoked = revoke(gatehouse, installer.client, token);
    await lock.awaited();
    await lock.release();
    expect(await revoked).toBe(200);

    const second = await installer.install();
    const { grant_id: other } = await rowOf(second.refresh_token);
    const held = await holdLock(gatehouse.database, other);
    const issued = refresh(gatehouse, installer.client, second.refresh_token);
    await held.awaited();
    const ended = revoke(gatehouse, installer.client, second.refresh_token ?? '');
    await held.awaited(2);
    await held.release();
    const answer = await issued;
    expect(await ended).toBe(200);
    expect(answer.status).toBe(200);
    expect(await statusOf(gatehouse, answer.tokens.access_token)).toBe(401);
    const dead = await refresh(gatehouse, installer.client, answer.tokens.refresh_token);
    expect(dead.error).toBe('invalid_grant');
  });

  it.each<[string, (of: Installer) => readonly string[], string]>([
    [
      'the client is revoked',
      ({ client }) => ['clients', 'revoke', client.client_id],
      '400 invalid_grant',
    ],
    [
      'the client is blocked',
      ({ client }) => ['clients', 'block', client.client_id],
      '401 invalid_client',
    ],
    [
      'the tenant blocks the client',
      ({ client }) => ['clients', 'block', client.client_id, '--tenant', 'acme'],
      '400 invalid_grant',
    ],
    ['the account is revoked', ({ user }) => ['revoke', user.id], '400 invalid_grant'],
    [
      'the membership is revoked',
      ({ user }) => ['revoke', `${user.id}@${tenant.id}`],
      '400 invalid_grant',
    ],
    [
      'the membership ends',
      ({ user }) => ['accounts', 'remove', '--email', user.email, '--tenant', 'acme'],
      '400 invalid_grant',
    ],
    [
      'the grants are revoked',
      ({ user }) => ['grants', 'revoke', '--email', user.email],
      '400 invalid_grant',
    ],
    ['the tenant is revoked', () => ['revoke', tenant.id], '400 invalid_grant'],
  ])('neither for a code nor for a refresh token, once %s', async (_what, command, refusal) => {
    const other = await newInstaller();
    const { access_token: access, refresh_token: token } = await other.install();
    const code = await other.authorize();
    expect(await cli([...command(other), '--yes'])).toMatchObject({ code: 0 });

    const answers = [
      await redeem(gatehouse, other.client, code),
      await refresh(gatehouse, other.client, token),
    ];
    expect(answers.map(({ status, error }) => `${status} ${error}`)).toEqual([refusal, refusal]);
    expect(await statusOf(gatehouse, access)).toBe(401);
    for (const secret of [code.code, token]) {
      expect(await rowOf(secret)).toMatchObject({ consumed_at: null });
    }
  });

  describe('a grant that is being created', () => {
    const create = ({ client, user }: Installer) =>
      gatehouse.dataSource.transaction((manager) =>
        createGrantStore(manager).create({
          tenantId: tenant.id,
          accountId: user.id,
          clientId: client.client_id,
          scopes: ['contacts:read'].filter(isScope),
          resources: [],
          redirectUri: 'https://app.example.com',
        }),
      );
    const statusOfGrant = async (id: string) =>
      (await createGrantStore(gatehouse.dataSource.manager).find(tenant.id, id))?.status;

    it.each<[string, (of: Installer) => string, (of: Installer) => readonly [string, unknown[]]]>([
      [
        'is not made if its client is blocked meanwhile',
        ({ client }) => client.client_id,
        ({ client }) => [
          'UPDATE clients SET blocked_at = gatehouse_now() WHERE id = $1',
          [client.client_id],
        ],
      ],
      [
        'is not made if its tenant blocks the client meanwhile',
        ({ client }) => `${client.client_id}@${tenant.id}`,
        ({ client }) => [
          'INSERT INTO client_blocks (client_id, tenant_id) VALUES ($1, $2)',
          [client.client_id, tenant.id],
        ],
      ],
      [
        'is not made if the membership ends meanwhile',
        ({ user }) => `${user.id}@${tenant.id}`,
        ({ user }) => [
          'DELETE FROM memberships WHERE account_id = $1 AND tenant_id = $2',
          [user.id, tenant.id],
        ],
      ],
    ])('%s', async (_what, subject, change) => {
      const other = await newInstaller();
      const lock = await holdLock(gatehouse.database, subject(other));
      const made = create(other);
      await lock.awaited();
      await revokeUnder(lock, subject(other));
      await lock.query(...(change(other) as [string, unknown[]]));
      await lock.release();
      expect(await made).toBeUndefined();
    });

    it('survives a revocation that it waited for, and ends with one that waited for it', async () => {
      const other = await newInstaller();
      const lock = await holdLock(gatehouse.database, other.user.id);
      const made = create(other);
      await lock.awaited();
      await revokeUnder(lock, other.user.id);
      await lock.release();
      const id = (await made) ?? '';
      // Only what was issued before is ended by a revocation.
      expect(await statusOfGrant(id)).toBe('active');

      const runner = gatehouse.dataSource.createQueryRunner();
      await runner.startTransaction();
      const second = await createGrantStore(runner.manager).create({
        tenantId: tenant.id,
        accountId: other.user.id,
        clientId: other.client.client_id,
        scopes: ['contacts:read'].filter(isScope),
        resources: [],
        redirectUri: 'https://app.example.com',
      });
      const revoked = cli(['revoke', other.user.id, '--yes']);
      await waitersFor(gatehouse.database, other.user.id);
      await runner.commitTransaction();
      await runner.release();
      expect(await revoked).toMatchObject({ code: 0 });
      expect(await statusOfGrant(second ?? '')).toBe('revoked');
    });
  });
});
