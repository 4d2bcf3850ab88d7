import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { type TestKey } from '../support/app/app.js';
import { createCli } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('the audit log on the command line', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let tenant: Tenant;
  let key: TestKey;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    tenant = await gatehouse.createTenant('acme');
    key = await gatehouse.createKey(tenant, { name: 'Sync' });
    await gatehouse.createKey(await gatehouse.createTenant('other'), { name: 'Foreign' });
    await gatehouse.database.query(
      `INSERT INTO audit_log (tenant_id, actor, action, subject, at)
       SELECT $1, 'operator', 'test.many', n::text, gatehouse_now() - interval '1 second' * n
       FROM generate_series(1, 1203) n
       UNION ALL SELECT NULL, 'anonymous', 'account.sign_in', 'usr_x', gatehouse_now()`,
      [tenant.id],
    );
  });

  it('lists entries of one tenant or of all, with the filters of the API', async () => {
    const list = async (...words: string[]) => {
      const { code, stdout } = await cli(['audit', 'list', ...words, '--json']);
      expect(code).toBe(0);
      return JSON.parse(stdout) as { action: string; objectId: string; object: string }[];
    };
    const all = await list('--all');
    expect(all.filter(({ action }) => action === 'test.many')).toHaveLength(1203);
    expect(all.map(({ action }) => action)).toContain('account.sign_in');
    expect(all.map(({ object }) => object)).toContain('Foreign');

    const own = await list('--tenant', 'acme', '--action', 'api_key.create');
    expect(own).toMatchObject([{ objectId: key.id, object: 'Sync' }]);
    expect(await list('--tenant', 'acme', '--object', '7', '--result', 'success')).toHaveLength(1);
    expect(
      await list('--object', '7', '--action', 'test.many', '--from', '2020-01-01'),
    ).toHaveLength(1);
    expect(await list('--tenant', 'acme', '--request-id', 'req_none')).toEqual([]);
  });

  it('exports CSV and JSON lines in full', async () => {
    const csv = await cli(['audit', 'export', '--tenant', 'acme', '--action', 'test.many']);
    expect(csv).toMatchObject({ code: 0, stderr: '' });
    const lines = csv.stdout.trimEnd().split('\r\n');
    expect(lines[0]).toMatch(/^"id","createdAt","actorType"/);
    expect(lines).toHaveLength(1204);

    const jsonl = await cli(['audit', 'export', '--action', 'test.many', '--format', 'jsonl']);
    const objects = jsonl.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).object.id);
    expect(objects).toEqual(Array.from({ length: 1203 }, (_, index) => String(index + 1)));
  });

  it('is misused with a value that cannot be', async () => {
    for (const words of [
      ['--from', 'yesterday'],
      ['--result', 'maybe'],
      ['--request-id', ''],
    ]) {
      const { code, stderr } = await cli(['audit', 'list', ...words]);
      expect([words, code]).toEqual([words, 2]);
      expect(stderr).toContain(words[0]);
    }
    expect((await cli(['audit', 'list', '--tenant', 'nobody'])).code).toBe(1);
  });
});
