import { describe, expect, it } from '@jest/globals';

import { createRouter } from '../../src/http/router.js';
import type { Route } from '../../src/http/routes.js';

const route = (more: Partial<Route<'public'>>): Route<'public'> => ({
  method: 'GET',
  path: '/things/:id',
  access: 'public',
  handle: () => undefined,
  ...more,
});

describe('the router', () => {
  const mounting = (...routes: Route<'public'>[]) => {
    const router = createRouter();
    return () => routes.map((each) => router.mount('/api', [each], () => []));
  };

  it('mounts routes of one path in several places', () => {
    expect(mounting(route({}), route({ method: 'PUT' }))).not.toThrow();
    expect(mounting(route({}), route({ path: '/things/all' }))).not.toThrow();
  });

  it.each([
    ['a method of a path', route({}), 'GET /api/things/:id exists twice'],
    ['another name for a parameter', route({ method: 'PUT', path: '/things/:name' }), 'name other'],
    ['another CORS rule for a path', route({ method: 'PUT', cors: 'anyOrigin' }), 'CORS rules'],
  ])('refuses to mount %s a second time', (_what, second, message) => {
    expect(mounting(route({}), second)).toThrow(message);
  });
});
