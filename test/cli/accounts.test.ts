import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createSignIn } from '../../src/accounts/sign-in.js';
import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { IS_REVOKED } from '../../src/credentials/verification/verdict-sql.js';
import { createSessionStore } from '../../src/sessions/session-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PASSWORD = 'correct horse battery staple';

describe('accounts', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let tenant: Tenant;
  let other: Tenant;
  let email: string;
  let accountId: string;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    await gatehouse.database.query(
      `INSERT INTO clients (id, name, metadata) VALUES ('cli_1', 'A client', '{}')`,
    );
  });
  beforeEach(async () => {
    tenant = await gatehouse.createTenant(`tenant-${randomUUID()}`);
    other = await gatehouse.createTenant(`other-${randomUUID()}`);
    email = `${randomUUID()}@example.com`;
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    accountId = (await accounts.create({ email, name: 'Ann', password: PASSWORD })).id;
    for (const { id } of [tenant, other]) await accounts.join(id, accountId, 'manager');
  });

  const run = (verb: string, ...more: string[]) =>
    cli(['accounts', verb, '--email', email, '--tenant', tenant.slug, ...more, '--json']);
  const rolesOf = async () => {
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    const memberships = await accounts.listMemberships(accountId);
    return Object.fromEntries(memberships.map(({ tenantId, role }) => [tenantId, role]));
  };
  const actions = async () => {
    const rows = await gatehouse.database.query<{ action: string }>(
      `SELECT action FROM audit_log WHERE subject = $1 ORDER BY id`,
      [accountId],
    );
    return rows.map(({ action }) => action);
  };

  describe('create', () => {
    const create = async (address: string, ...more: string[]) => {
      const words = ['accounts', 'create', '--email', address, '--tenant', tenant.slug];
      const { stdout } = await cli([...words, '--role', 'viewer', ...more, '--json']);
      const { id, emailVerified } = JSON.parse(stdout) as Record<string, unknown>;
      const [row] = await gatehouse.database.query(
        'SELECT email_verified_at IS NOT NULL AS verified FROM accounts WHERE id = $1',
        [id],
      );
      return [emailVerified, row?.['verified']];
    };

    it('takes an address for confirmed only if the operator vouches for it, later too', async () => {
      const third = await gatehouse.createTenant(`third-${randomUUID()}`);
      const address = `${randomUUID()}@example.com`;
      expect(await create(address)).toEqual([false, false]);
      tenant = other;
      expect(await create(address, '--email-verified')).toEqual([true, true]);
      tenant = third;
      expect(await create(address)).toEqual([true, true]);
      expect(await create(`${randomUUID()}@example.com`, '--email-verified')).toEqual([true, true]);
    });
  });

  describe('update', () => {
    it('changes the role in one tenant', async () => {
      expect((await run('update', '--role', 'viewer')).code).toBe(0);
      expect(await rolesOf()).toEqual({ [tenant.id]: 'viewer', [other.id]: 'manager' });
      expect(await actions()).toEqual(['membership.update']);
    });

    it('refuses an unknown role, and an account that is not a member', async () => {
      expect((await run('update', '--role', 'emperor')).code).toBe(2);
      await createAccountStore(gatehouse.dataSource.manager).leave(tenant.id, accountId);
      expect(await run('update', '--role', 'viewer')).toMatchObject({ code: 1, stdout: '' });
      expect(await actions()).toEqual([]);
    });
  });

  describe('remove', () => {
    /** Something issued under the membership, as a grant is. */
    async function issue(): Promise<string> {
      const id = `grt_${randomUUID()}`;
      await gatehouse.dataSource.transaction(async (manager) => {
        const subjects = [id, `${accountId}@${tenant.id}`, accountId, tenant.id];
        await manager.query(
          `INSERT INTO grants (id, tenant_id, account_id, client_id, scopes, resources, redirect_uri,
             subjects, issue_seq, keep_until)
           VALUES ($1, $2, $3, 'cli_1', '{}', '{}', 'https://a.example', $4, $5, gatehouse_now())`,
          [
            id,
            tenant.id,
            accountId,
            subjects,
            await createRevocationStore(manager).drawIssueOrder(subjects),
          ],
        );
      });
      return id;
    }
    const isDead = async (id: string) => {
      const sql = `SELECT ${IS_REVOKED} AS dead FROM grants c WHERE id = $1`;
      return (await gatehouse.database.query<{ dead: boolean }>(sql, [id]))[0]?.dead;
    };

    it('ends the membership with what was issued under it and what was agreed to, there only', async () => {
      for (const { id } of [tenant, other]) {
        await gatehouse.database.query(
          `INSERT INTO consents (account_id, tenant_id, client_id, offered, granted) VALUES ($1, $2, 'cli_1', '{}', '{}')`,
          [accountId, id],
        );
      }
      const grant = await issue();
      expect(await run('remove')).toMatchObject({ code: 2 });
      expect(await isDead(grant)).toBe(false);

      expect((await run('remove', '--yes')).code).toBe(0);
      expect(await rolesOf()).toEqual({ [other.id]: 'manager' });
      expect(await isDead(grant)).toBe(true);
      const consents = await gatehouse.database.query(
        'SELECT tenant_id FROM consents WHERE account_id = $1',
        [accountId],
      );
      expect(consents).toEqual([{ tenant_id: other.id }]);
      expect(await actions()).toEqual(['membership.delete']);
      expect(await run('remove', '--yes')).toMatchObject({ code: 1, stdout: '' });
    });

    it('gives nothing back to a member who is added again', async () => {
      const before = await issue();
      await run('remove', '--yes');
      expect((await run('create', '--role', 'viewer')).code).toBe(0);

      expect(await rolesOf()).toMatchObject({ [tenant.id]: 'viewer' });
      expect(await isDead(before)).toBe(true);
      expect(await isDead(await issue())).toBe(false);
    });
  });

  describe('set-password', () => {
    it('replaces the password and ends all sessions', async () => {
      const { dataSource, keyring } = gatehouse;
      const sessions = createSessionStore(dataSource.manager, keyring);
      const secret = randomUUID();
      await sessions.save({
        id: randomUUID(),
        secret,
        accountId,
        payload: {},
        address: null,
        userAgent: null,
        ttlSeconds: 60,
      });
      const refusedSignIns = { note: () => undefined };
      const signIn = createSignIn({ dataSource, keyring, refusedSignIns });
      const outcomeOf = async (password: string) =>
        (await signIn({ email, password, address: '192.0.2.1' })).outcome;

      const words = ['accounts', 'set-password', '--email', email];
      expect((await cli(words)).code).toBe(2);
      expect((await cli([...words, '--password-stdin'], 'short\n')).code).toBe(2);
      expect(await cli([...words, '--password-stdin'], 'Password1234\n')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('common password'),
      });
      expect(await outcomeOf(PASSWORD)).toBe('accepted');
      const result = await cli([...words, '--password-stdin', '--json'], 'another password\n');

      expect(JSON.parse(result.stdout)).toEqual({ id: accountId, email, endedSessions: 1 });
      expect([await outcomeOf(PASSWORD), await outcomeOf('another password')]).toEqual([
        'refused',
        'accepted',
      ]);
      expect(await sessions.findBySecret(secret)).toBeUndefined();
      expect(await actions()).toEqual(['account.sign_in', 'account.set_password']);
    });
  });
});
