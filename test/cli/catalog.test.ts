import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DOCUMENT } from '../../src/scopes/catalog.js';
import { createCli } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('catalog check', () => {
  const gatehouse = useGatehouse();
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'catalogue-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('lists the faults of a file, each on a line, and names them in JSON', async () => {
    const file = join(folder, 'faulty.json');
    const role = { name: 'owner', title: 'Owner', sentence: 'Everything.' };
    await writeFile(file, JSON.stringify({ roles: [role, role] }));
    const cli = createCli(gatehouse.database);
    const faults = [
      'roles[1].name: owner exists already',
      'roles: exactly one role administers, not 0',
    ];

    const plain = await cli(['catalog', 'check', file]);
    expect(plain).toMatchObject({ code: 1, stdout: '' });
    expect(plain.stderr.split('\n')).toEqual([
      `${file} has faults:`,
      ...faults.map((fault) => `  ${fault}`),
      '',
    ]);
    const { stderr } = await cli(['catalog', 'check', file, '--json']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'refused', details: faults } });
  });

  const check = async (document: object) => {
    const file = join(folder, 'catalogue.json');
    await writeFile(file, JSON.stringify(document));
    const { stdout } = await createCli(gatehouse.database)(['catalog', 'check', file, '--json']);
    return (JSON.parse(stdout) as { touched: unknown }).touched;
  };

  it('lists publishable keys whose scope the catalogue makes public no more', async () => {
    const tenant = await gatehouse.createTenant('acme');
    const fields = { kind: 'publishable', scopes: ['products:read'] } as const;
    const { id } = await gatehouse.createKey(tenant, fields);
    expect(await check(DOCUMENT)).toEqual([]);
    const closed = {
      ...DOCUMENT,
      resources: DOCUMENT.resources.map((resource) => ({ ...resource, public: [] })),
    };
    expect(await check(closed)).toEqual([
      { name: 'products:read', held: 'publishable keys', count: 1, examples: [id] },
    ]);
  });
});
