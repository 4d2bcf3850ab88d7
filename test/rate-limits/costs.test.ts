import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { Registry } from 'prom-client';

import type { RequestState } from '../../src/http/context.js';
import { createRateBuckets } from '../../src/rate-limits/buckets.js';
import { createRateLimit } from '../../src/rate-limits/middleware.js';
import { createRouter } from '../../src/http/router.js';
import type { Route } from '../../src/http/routes.js';
import { START } from '../support/app/limits.js';

const PATHS = [
  '/jobs',
  '/jobs/exports',
  '/jobs/:id/pdf',
  '/jobs/bulk',
  '/jobs/imports',
  '/jobs/:id',
];
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

describe('what a request costs', () => {
  let server: Server;
  beforeAll(async () => {
    const buckets = createRateBuckets(3600);
    const budget = {
      label: 'tenant',
      name: 'Tenant',
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
    const routes = METHODS.flatMap((method) =>
      PATHS.map((path): Route<'public'> => ({
        method,
        path,
        access: 'public',
        handle(ctx) {
          ctx.status = 204;
        },
      })),
    );
    const koa = new Koa<RequestState>();
    const router = createRouter();
    koa.use(router.find);
    koa.use(router.mount('/api', routes, (route) => [limitRate(route)]));
    server = createServer(koa.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  const costOf = async (method: string, path: string) => {
    const { port } = server.address() as AddressInfo;
    const { headers } = await fetch(`http://127.0.0.1:${port}/api${path}`, { method });
    return 1000 - Number(headers.get('ratelimit-tenant-remaining'));
  };

  it.each([
    ['GET', '/jobs', 1],
    ['HEAD', '/jobs', 1],
    ['POST', '/jobs', 5],
    ['PATCH', '/jobs/1', 5],
    ['GET', '/jobs/exports', 20],
    ['POST', '/jobs/exports', 20],
    ['GET', '/jobs/1/pdf', 50],
    ['POST', '/jobs/bulk', 100],
    ['POST', '/jobs/imports', 200],
  ])('of %s %s is %i', async (method, path, cost) => {
    expect(await costOf(method, path)).toBe(cost);
  });

  it.each(['/jobs/pdf', '/jobs/xexports', '/jobs/1?x=/bulk'])(
    'is not that of an ending which only a parameter or the query has: %s',
    async (path) => {
      expect(await costOf('GET', path)).toBe(1);
    },
  );
});
