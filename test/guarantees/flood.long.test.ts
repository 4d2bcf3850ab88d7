import { describe, it } from '@jest/globals';

import { head, useFloodTarget } from '../support/faults/flood.js';

describe('a server that is sent more than it can hold', () => {
  const target = useFloodTarget({ bytes: 240_000_000, honestRequests: 100 });

  it.each([
    ['answers that nobody reads', 60, () => head('/api/v1/scopes')],
    ['answers that nobody reads', 1500, () => head('/api/v1/scopes')],
    ['requests with a key', 60, (key: string) => head('/api/v1/me', `X-API-Key: ${key}`)],
    ['the smallest requests', 60, () => 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['pages', 60, () => head('/login', 'Accept: text/html')],
  ])(
    'holds little of %s over %d connections, and answers others meanwhile',
    (_what, connections, request) =>
      target.withstands({ request: request(target.key), connections }, '/api/v1/me'),
    120_000,
  );

  it('holds little of what is sent to the metrics', async () => {
    const { metricsPort: port } = target;
    await target.withstands({ request: head('/metrics'), connections: 60, port }, '/healthz');
  }, 120_000);
});
