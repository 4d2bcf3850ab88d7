import { expect, it } from '@jest/globals';

import { createDemo, greeting } from '../../src/server/demo.js';

import { useGatehouse } from '../support/app/use-gatehouse.js';

const gatehouse = useGatehouse();

it('the first start creates three products that its key reads, and does not mention them', async () => {
  const { dataSource, keyring, config, http } = gatehouse;
  const demo = await createDemo(dataSource, keyring, config);
  if (demo === undefined) throw new Error('there was something already');

  const answer = await http.get('/api/v1/products').set('X-API-Key', demo.key);

  expect(answer.status).toBe(200);
  const priced = { name: expect.any(String), priceCents: expect.any(Number), currency: 'USD' };
  expect(answer.body.data).toMatchObject([priced, priced, priced]);
  const entries = await dataSource.query<{ action: string }[]>(
    'SELECT action FROM audit_log ORDER BY at, id',
  );
  expect(entries[0]).toEqual({ action: 'tenant.create' });
  expect(greeting(demo, gatehouse.origin)).not.toMatch(/product/i);
});
