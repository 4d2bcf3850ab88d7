import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { Registry } from 'prom-client';

import { declareRoutesFor } from '../../src/http/api-route.js';
import type { RequestState } from '../../src/http/context.js';
import { COST } from '../../src/http/route-declaration.js';
import { createRouter } from '../../src/http/router.js';
import { createRateBuckets } from '../../src/rate-limits/buckets.js';
import { createRateLimit, headersOf } from '../../src/rate-limits/middleware.js';
import { START } from '../support/app/limits.js';

const declare = declareRoutesFor<'public', RequestState>();

describe('the cost of a request', () => {
  let server: Server;
  beforeAll(async () => {
    const buckets = createRateBuckets(3600);
    const budget = {
      label: 'tenant',
      headers: headersOf('Tenant'),
      whose: 'It',
      counts: 'units',
      buckets,
    } as const;
    const limitRate = createRateLimit({
      // Another bucket for each request, so that what is used is what it cost.
      sharesOf: (ctx, now) => [
        { budget, limit: 1000, bucket: buckets.open(ctx.method + ctx.path, now) },
      ],
      now: () => START,
      register: new Registry(),
    });
    const routes = Object.entries(COST).map(([name, cost]) =>
      declare({
        method: 'GET',
        path: name === 'read' ? '/read/:id' : `/${name}`,
        summary: 'Cost something',
        access: 'public',
        cost,
        answers: { 204: null },
        handle(ctx) {
          ctx.status = 204;
        },
      }),
    );
    const koa = new Koa<RequestState>();
    const router = createRouter();
    koa.use(router.find);
    koa.use(router.mount('/api', routes, (route) => [limitRate(route)]));
    server = createServer(koa.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  it.each([
    ['GET', '/read/1', 1],
    ['HEAD', '/read/1', 1],
    ['GET', '/change', 5],
    ['GET', '/export', 20],
    ['GET', '/pdf', 50],
    ['GET', '/bulk', 100],
    ['GET', '/import', 200],
    ['GET', '/read/bulk?x=/imports', 1],
  ])('is what its route declares: %s %s costs %i', async (method, path, cost) => {
    const { port } = server.address() as AddressInfo;
    const { headers } = await fetch(`http://127.0.0.1:${port}/api${path}`, { method });
    expect(1000 - Number(headers.get('ratelimit-tenant-remaining'))).toBe(cost);
  });
});
