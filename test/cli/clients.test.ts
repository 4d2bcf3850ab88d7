import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { createAccountStore } from '../../src/accounts/account-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { register, registerConfidential } from '../support/app/clients.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Shown {
  id: string;
  name: string;
  type: string;
  status: string;
  verified: boolean;
  blockedInTenants: string[];
  metadata: object;
}

describe('clients on the command line', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let cli: ReturnType<typeof createCli>;
  let ours: Tenant;
  let theirs: Tenant;
  let id: string;
  let count = 0;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    ours = await gatehouse.createTenant('ours');
    theirs = await gatehouse.createTenant('theirs');
  });
  beforeEach(async () => {
    count += 1;
    const body = { client_name: `App ${count}`, redirect_uris: ['https://app.example.com/cb'] };
    id = (await register(gatehouse, body)).body.client_id as string;
    await agree();
  });

  /** Somebody in either tenant has agreed to the client. */
  async function agree(): Promise<void> {
    const account = await createAccountStore(gatehouse.dataSource.manager).create({
      email: `${count}@example.com`,
      name: null,
      password: 'correct horse battery staple',
    });
    for (const tenant of [ours, theirs]) {
      await gatehouse.database.query(
        `INSERT INTO consents (account_id, tenant_id, client_id, offered, granted)
         VALUES ($1, $2, $3, '{leads:read}', '{leads:read}')`,
        [account.id, tenant.id, id],
      );
    }
  }

  async function json<Value>(...words: string[]): Promise<Value> {
    const result = await cli([...words, '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    return JSON.parse(result.stdout) as Value;
  }

  const show = () => json<Shown>('clients', 'show', id);
  const column = async (sql: string, ...values: unknown[]) =>
    (await gatehouse.database.query<{ value: string }>(sql, values)).map(({ value }) => value);
  const consents = () =>
    column('SELECT tenant_id AS value FROM consents WHERE client_id = $1 ORDER BY 1', id);
  const revocations = () =>
    column(
      'SELECT subject AS value FROM revocations WHERE starts_with(subject, $1) ORDER BY seq',
      id,
    );
  const audited = () =>
    gatehouse.database.query(
      `SELECT action, tenant_id, actor, details FROM audit_log
       WHERE subject = $1 AND action <> 'client.register' ORDER BY id`,
      [id],
    );
  const byOperator = (action: string, tenant_id: string | null, details: object) => ({
    action,
    tenant_id,
    details,
    actor: 'operator',
  });
  const inBoth = () => [ours.id, theirs.id].toSorted();

  it('are listed, newest first, however many there are', async () => {
    const other = (await registerConfidential(gatehouse)).body;
    await gatehouse.database.query(
      `INSERT INTO clients (id, name, metadata, created_at)
       SELECT 'cli_' || lpad(n::text, 32, '0'), 'Old', '{}', now() - interval '1 day'
       FROM generate_series(1, 250) n`,
    );
    const list = await json<Shown[]>('clients', 'list', '--all');
    expect(list[0]).toEqual({
      id: other.client_id,
      name: 'Backend',
      type: 'confidential',
      status: 'active',
      verified: false,
      createdAt: expect.any(String),
    });
    expect(list[1]).toMatchObject({ id, type: 'public' });
    expect(new Set(list.map((client) => client.id)).size).toBe(list.length);
    expect(list.filter(({ name }) => name === 'Old')).toHaveLength(250);
    expect(JSON.stringify(list)).not.toContain('digest');
  });

  it('are shown with what they registered, without digests', async () => {
    expect(await show()).toEqual({
      id,
      name: `App ${count}`,
      type: 'public',
      status: 'active',
      verified: false,
      requiresPushedRequests: false,
      createdAt: expect.any(String),
      blockedAt: null,
      blockedInTenants: [],
      metadata: expect.objectContaining({ redirect_uris: ['https://app.example.com/cb'] }),
    });
  });

  it('are revoked with all that users agreed to, and can be authorized again', async () => {
    const answer = await json<object>('clients', 'revoke', id, '--reason', 'leaked', '--yes');

    expect(answer).toMatchObject({ id, revoked: true, reason: 'leaked', status: 'active' });
    expect(await revocations()).toEqual([id]);
    expect(await consents()).toEqual([]);
    expect(await audited()).toEqual([
      byOperator('client.revoke', null, { name: `App ${count}`, reason: 'leaked' }),
    ]);
  });

  it('are blocked for all, which ends what was issued and stays ended', async () => {
    expect(await json('clients', 'block', id, '--reason', 'phishing', '--yes')).toMatchObject({
      status: 'blocked',
      blockedAt: expect.any(String),
    });
    expect(await revocations()).toEqual([id]);
    expect(await consents()).toEqual([]);

    expect(await json('clients', 'unblock', id)).toMatchObject({ status: 'active' });
    await json('clients', 'unblock', id);
    expect(await revocations()).toEqual([id]);
    expect(await audited()).toEqual([
      byOperator('client.block', null, { reason: 'phishing' }),
      byOperator('client.unblock', null, {}),
    ]);
  });

  it('are blocked for one tenant and stay in the others', async () => {
    expect(await json('clients', 'block', id, '--tenant', 'ours', '--yes')).toMatchObject({
      status: 'active',
      blockedInTenants: [ours.id],
    });
    expect(await revocations()).toEqual([`${id}@${ours.id}`]);
    expect(await consents()).toEqual([theirs.id]);

    // A block for all is another one, and ending it does not end this.
    await json('clients', 'block', id, '--yes');
    await json('clients', 'unblock', id);
    expect(await show()).toMatchObject({ status: 'active', blockedInTenants: [ours.id] });
    await json('clients', 'unblock', id, '--tenant', ours.id);
    expect(await show()).toMatchObject({ blockedInTenants: [] });
    expect(await audited()).toEqual([
      byOperator('client.block', ours.id, { reason: null }),
      byOperator('client.block', null, { reason: null }),
      byOperator('client.unblock', null, {}),
      byOperator('client.unblock', ours.id, {}),
    ]);
  });

  it('are vouched for, and not any more', async () => {
    expect(await json('clients', 'verify', id)).toMatchObject({ verified: true });
    await json('clients', 'verify', id);
    expect(await json('clients', 'unverify', id)).toMatchObject({ verified: false });
    const details = { name: `App ${count}` };
    expect(await audited()).toEqual([
      byOperator('client.verify', null, details),
      byOperator('client.unverify', null, details),
    ]);
  });

  it('are subjects of revoke, for all or within one tenant', async () => {
    await json('revoke', id, '--yes');
    await json('revoke', `${id}@${ours.id}`, '--yes');

    expect(await revocations()).toEqual([id, `${id}@${ours.id}`]);
    const [entry] = await column(
      'SELECT tenant_id AS value FROM audit_log WHERE subject = $1',
      `${id}@${ours.id}`,
    );
    expect(entry).toBe(ours.id);
  });

  it('must exist, and so must the tenant', async () => {
    const unknown = `cli_${'0'.repeat(31)}f`;
    for (const words of [
      ['clients', 'show', unknown],
      ['clients', 'show', 'nonsense'],
      ['clients', 'revoke', unknown, '--yes'],
      ['clients', 'block', unknown, '--yes'],
      ['clients', 'block', id, '--tenant', 'nowhere', '--yes'],
      ['clients', 'unblock', unknown],
      ['clients', 'verify', unknown],
      ['revoke', unknown, '--yes'],
      ['revoke', `${unknown}@${ours.id}`, '--yes'],
      ['revoke', `${id}@tnt_01M7XFH5S6VAF9PYH4GQDWY91H`, '--yes'],
      ['revoke', `${id}@${ours.id}@junk`, '--yes'],
    ]) {
      expect({ words, ...(await cli(words)) }).toMatchObject({ words, code: 1, stdout: '' });
    }
    expect(await revocations()).toEqual([]);
    expect(await consents()).toEqual(inBoth());
  });

  it.each(['revoke', 'block'])('are asked about before %s', async (verb) => {
    expect(await cli(['clients', verb, id])).toMatchObject({ code: 2, stdout: '' });
    expect(await revocations()).toEqual([]);
  });
});
