import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { createSpace, defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const FULL = {
  name: 'Ready-mix concrete',
  sku: 'CON-1',
  description: 'Delivered.',
  unit: 'cubic yard',
  priceCents: 16850,
  currency: 'USD',
};
const NOTHING = { description: null, unit: null, priceCents: null, currency: null };
/** More than are stored by one statement. */
const MANY = 1201;

const linesOf = (...products: readonly unknown[]) =>
  products.map((product) => JSON.stringify(product)).join('\n');

describe('products', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let tenant: Tenant;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
  });
  beforeEach(async () => {
    tenant = await gatehouse.createTenant(`tenant-${randomUUID()}`);
  });

  const importLines = async (input: string, ...options: string[]) => {
    const words = ['products', 'import', '--tenant', tenant.slug, ...options, '--json'];
    const result = await cli(words, input);
    return { ...result, report: JSON.parse(result.stdout || 'null') };
  };
  const listed = async (...options: string[]) => {
    const words = ['products', 'list', '--tenant', tenant.slug, '--all', ...options, '--json'];
    return JSON.parse((await cli(words)).stdout);
  };
  /** Lists products through the API. */
  const list = async () => {
    const { bearer } = await gatehouse.createKey(tenant);
    return (await gatehouse.http.get('/api/v1/products').set(bearer)).body.data;
  };

  it('are imported a line each, and listed', async () => {
    const { code, stderr, report } = await importLines(
      `${linesOf(FULL)}\r\n\n${linesOf({ sku: 'GRA-1', name: 'Gravel' })}\n`,
    );

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(report).toEqual({ created: 2, updated: 0, unchanged: 0, refused: 0, refusals: [] });
    const more = {
      id: expect.any(Number),
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    };
    expect(await list()).toEqual([
      { ...NOTHING, name: 'Gravel', sku: 'GRA-1', ...more },
      { ...FULL, ...more },
    ]);
    expect(await listed()).toEqual(await list());
    const [entry] = await gatehouse.database.query(
      `SELECT actor, subject, details FROM audit_log
       WHERE tenant_id = $1 AND action = 'product.import'`,
      [tenant.id],
    );
    expect(entry).toEqual({
      actor: 'operator',
      subject: await defaultSpaceOf(gatehouse, tenant),
      details: { environment: 'live', created: 2, updated: 0, unchanged: 0, refused: 0 },
    });
  });

  it('are replaced by those with the same sku, and left alone where nothing changes', async () => {
    await importLines(linesOf(FULL, { ...FULL, sku: 'CON-2' }));
    const [, before] = await list();

    const { report } = await importLines(
      linesOf(FULL, { name: 'Concrete', sku: 'CON-2' }, { ...FULL, sku: 'con-2' }),
    );

    expect(report).toMatchObject({ created: 1, updated: 1, unchanged: 1, refused: 0 });
    const after = await list();
    expect(after).toHaveLength(3);
    expect(after[1]).toMatchObject({ ...NOTHING, name: 'Concrete', sku: 'CON-2' });
    expect(after[2]).toEqual(before);
  });

  it('are imported as far as they are right: the others are reported, with exit code 1', async () => {
    const wrong: readonly (readonly [string, string])[] = [
      ['not JSON: a secret', 'is not valid JSON'],
      ['{"name": "x"', 'is not valid JSON'],
      ['[]', 'must be an object'],
      ['null', 'must be an object'],
      [linesOf({ sku: 'A' }), 'name: '],
      [linesOf({ name: 'x' }), 'sku: '],
      [linesOf({ name: 'x', sku: ' ' }), 'sku: '],
      [linesOf({ name: 'x\0', sku: 'A' }), 'name: '],
      [linesOf({ ...FULL, sku: 'A', priceCents: -1 }), 'priceCents: '],
      [linesOf({ ...FULL, sku: 'A', priceCents: 1.5 }), 'priceCents: '],
      [linesOf({ ...FULL, sku: 'A', priceCents: 2 ** 31 }), 'priceCents: '],
      [linesOf({ ...FULL, sku: 'A', currency: 'dollars' }), 'currency: '],
      [linesOf({ name: 'x', sku: 'A', priceCents: 5 }), 'currency: '],
      [linesOf({ name: 'x', sku: 'A', currency: 'USD' }), 'currency: '],
      [linesOf({ name: 'x', sku: 'A', tenantId: 'tnt_x' }), 'tenantId: '],
      [linesOf({ ...FULL, name: 'Twice' }), 'line 1'],
    ];

    const input = [linesOf(FULL), ...wrong.map(([line]) => line), linesOf({ ...FULL, sku: 'B' })];
    const { code, stdout, report } = await importLines(input.join('\n'));

    expect(code).toBe(1);
    expect(report).toMatchObject({ created: 2, refused: wrong.length });
    expect(report.refusals).toEqual(
      wrong.map(([, reason], index) => ({
        line: index + 2,
        reason: expect.stringContaining(reason),
      })),
    );
    expect(stdout).not.toContain('a secret');
    expect((await list()).map(({ name, sku }: typeof FULL) => [name, sku])).toEqual([
      [FULL.name, 'B'],
      [FULL.name, FULL.sku],
    ]);
  });

  it(`are imported in any number, such as ${MANY}, and so many listed`, async () => {
    const many = Array.from({ length: MANY }, (_, index) => ({ name: 'x', sku: `S${index}` }));

    const { report } = await importLines(linesOf(...many));

    expect(report).toMatchObject({ created: MANY, refused: 0 });
    const skus = (await listed()).map(({ sku }: { sku: string }) => sku);
    expect(skus).toEqual(many.map(({ sku }) => sku).toReversed());
  });

  it('are separate by environment and space', async () => {
    const space = await createSpace(gatehouse, tenant, 'Two');
    await importLines(linesOf({ ...FULL, name: 'Live' }));
    await importLines(linesOf({ ...FULL, name: 'Test' }), '--env', 'test');
    await importLines(linesOf({ ...FULL, name: 'Two' }), '--space', space);

    expect(await list()).toMatchObject([{ name: 'Live' }]);
    expect(await listed('--env', 'test')).toMatchObject([{ name: 'Test' }]);
    expect(await listed('--space', space)).toMatchObject([{ name: 'Two' }]);
  });

  it("are not imported into another tenant's space, or none", async () => {
    const other = await gatehouse.createTenant(`other-${randomUUID()}`);
    for (const space of [await defaultSpaceOf(gatehouse, other), 'spc_x']) {
      const { code, stdout } = await importLines(linesOf(FULL), '--space', space);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    }
    expect((await importLines(linesOf(FULL), '--env', 'prod')).code).toBe(2);
    expect(await list()).toEqual([]);
  });

  it('are reported to people as a table of what was refused', async () => {
    const words = ['products', 'import', '--tenant', tenant.slug];
    const { stdout } = await cli(words, `${linesOf(FULL)}\nnonsense\n`);

    expect(stdout).toMatch(/created +1\n/);
    expect(stdout).toMatch(/line +reason\n2 +is not valid JSON\n/);
  });
});
