import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import {
  createUser,
  getTokens,
  registerClient,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
}

describe('grants on the command line', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let ours: Tenant;
  let theirs: Tenant;
  let client: TestClient;
  let user: TestUser;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    ours = await gatehouse.createTenant('ours');
    theirs = await gatehouse.createTenant('theirs');
    client = await registerClient(gatehouse);
  });
  beforeEach(async () => {
    user = await createUser(gatehouse, [
      [ours, 'company_admin'],
      [theirs, 'viewer'],
    ]);
  });

  async function json<Value>(...words: string[]): Promise<Value> {
    const result = await cli([...words, '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    return JSON.parse(result.stdout) as Value;
  }
  const tokensIn = (tenant: Tenant) => getTokens(gatehouse, { client, user, tenantId: tenant.id });
  const opens = async ({ access_token: token }: TokenResponse) =>
    (await gatehouse.http.get('/api/v1/me').set('Authorization', `Bearer ${token}`)).status === 200;

  it('are listed by account, each installation by itself, newest first', async () => {
    await tokensIn(ours);
    await tokensIn(theirs);
    await tokensIn(theirs);

    const grants = await json<Shown[]>('grants', 'list', '--email', user.email);
    expect(grants.map(({ tenantId }) => tenantId)).toEqual([theirs.id, theirs.id, ours.id]);
    expect(grants[0]).toMatchObject({
      status: 'active',
      clientId: client.client_id,
      scopes: ['contacts:read', 'offline_access'],
    });
    const there = await json<Shown[]>('grants', 'list', '--email', user.email, '--tenant', 'ours');
    expect(there).toHaveLength(1);
  });

  it('end one at a time, on the next request, and the user is asked again', async () => {
    const first = await tokensIn(ours);
    const second = await tokensIn(ours);
    const [latest] = await json<Shown[]>('grants', 'list', '--email', user.email);

    await json('grants', 'revoke', latest?.id ?? '', '--yes', '--reason', 'lost laptop');

    expect([await opens(first), await opens(second)]).toEqual([true, false]);
    const consents = await gatehouse.database.query(
      'SELECT FROM consents WHERE account_id = $1 AND tenant_id = $2',
      [user.id, ours.id],
    );
    expect(consents).toEqual([]);
    const [shown] = await json<Shown[]>('grants', 'list', '--email', user.email);
    expect(shown?.status).toBe('revoked');
  });

  it('end by account, in one tenant or in all', async () => {
    const here = await tokensIn(ours);
    const there = await tokensIn(theirs);

    await json('grants', 'revoke', '--email', user.email, '--tenant', 'ours', '--yes');
    expect([await opens(here), await opens(there)]).toEqual([false, true]);
    await json('grants', 'revoke', '--email', user.email, '--yes');
    expect(await opens(there)).toBe(false);
  });

  it('refuse what they cannot find or understand', async () => {
    expect(await cli(['grants', 'list', '--email', 'nobody@example.com'])).toMatchObject({
      code: 1,
      stdout: '',
    });
    expect(await cli(['grants', 'revoke', 'grt_nothing', '--yes'])).toMatchObject({ code: 1 });
    expect(await cli(['grants', 'revoke', '--yes'])).toMatchObject({ code: 2 });
    expect(await cli(['grants', 'revoke', 'grt_x', '--email', user.email, '--yes'])).toMatchObject({
      code: 2,
    });
    expect(await cli(['grants', 'revoke', 'grt_x'])).toMatchObject({ code: 2 });
  });
});
