import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('spaces', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let tenant: Tenant;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
  });
  beforeEach(async () => {
    tenant = await gatehouse.createTenant(`tenant-${randomUUID()}`);
  });

  const run = (verb: string, ...words: string[]) =>
    cli(['spaces', verb, ...words, '--tenant', tenant.slug, '--json']);
  const audited = () =>
    gatehouse.database.query(
      `SELECT action, actor, subject FROM audit_log WHERE tenant_id = $1 ORDER BY id`,
      [tenant.id],
    );

  it('are created, renamed and listed, newest first', async () => {
    const created = await run('create', 'East yard');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const space = JSON.parse(created.stdout);
    expect(space).toEqual({
      id: expect.stringMatching(/^spc_/),
      name: 'East yard',
      isDefault: false,
      createdAt: expect.any(String),
      externalId: null,
      metadata: {},
    });
    const renamed = await run('rename', space.id, '--name', 'West yard');
    expect(JSON.parse(renamed.stdout)).toEqual({ ...space, name: 'West yard' });
    await run('create', '--name', 'North yard');

    const { stdout } = await run('list');
    expect(JSON.parse(stdout)).toMatchObject([
      { name: 'North yard' },
      { name: 'West yard' },
      { name: 'Default', isDefault: true },
    ]);
    expect(await audited()).toMatchObject([
      { action: 'space.create', actor: 'operator', subject: space.id },
      { action: 'space.rename', actor: 'operator', subject: space.id },
      { action: 'space.create', actor: 'operator' },
    ]);
  });

  it("cannot share a name, and are not found under another tenant's", async () => {
    const theirs = await createSpace(
      gatehouse,
      await gatehouse.createTenant(`other-${randomUUID()}`),
      'Theirs',
    );
    for (const [verb, ...words] of [
      ['create', 'DEFAULT'],
      ['rename', theirs, 'Ours'],
    ] as const) {
      const result = await run(verb, ...words);
      expect(result).toMatchObject({ code: 1, stdout: '' });
      expect(result.stderr).not.toContain('    at ');
    }
    expect(await audited()).toEqual([]);
  });

  it.each([[['create']], [['create', 'x'.repeat(101)]], [['rename']], [['rename', 'spc_x']]])(
    'are not misunderstood: %j is exit code 2',
    async ([verb = '', ...words]) => {
      expect(await run(verb, ...words)).toMatchObject({ code: 2, stdout: '' });
    },
  );
});
