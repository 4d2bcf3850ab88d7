import { beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { type TestKey } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

describe('an expensive request', () => {
  const gatehouse = useGatehouse();
  let admin: TestKey;
  beforeAll(async () => {
    admin = await gatehouse.createKey(await gatehouse.createTenant('acme'));
  });

  const post = (path: string, body: object) =>
    gatehouse.http.post(path).set(admin.bearer).send(body);

  it.each([
    ['unknown members', '/api/v1/contacts', membersOf(20_000)],
    ['scopes', '/api/v1/api-keys', { name: 'x', scopes: Array(100_000).fill(0) }],
    [
      'addresses',
      '/api/v1/api-keys',
      { name: 'x', scopes: ['leads:read'], allowedIps: Array(100_000).fill(0) },
    ],
  ])('is told of few of its many faults: %s', async (_, path, body) => {
    const answer = await post(path, body);

    expect(answer.status).toBe(422);
    expect(answer.body.errors.length).toBeGreaterThan(0);
    expect(answer.text.length).toBeLessThan(10_000);
  });

  it.each(['http://[', 'http://[::1%25eth0]/api/v1/me', '//', 'x'])(
    'causes no fault of the server if its target is %s',
    async (target) => {
      const { hostname, port } = new URL(gatehouse.origin);
      const socket = connect(Number(port), hostname);
      socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);

      expect(await text(socket)).toMatch(/^HTTP\/1.1 4\d\d /);
    },
  );
});

function membersOf(count: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, 0]));
}
