import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import request from 'supertest';

import { createStartingHandler } from '../../src/http/starting.js';
import { expectProblem } from '../support/problems.js';

describe('a server that is starting', () => {
  const handler = createStartingHandler('http://localhost/docs/errors');
  const server = createServer(handler.handle);
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterAll(() => void server.close());

  it.each(['/api/v1/me', '/readyz', '/', '/healthzz'])(
    'answers 503 as the API does, to be asked again: %s',
    async (path) => {
      const answer = await request(server).get(path);

      expectProblem(answer, 503, 'service_unavailable');
      expect(answer.headers).toMatchObject({
        'retry-after': '1',
        'cache-control': 'no-store',
        'x-request-id': expect.stringMatching(/^req_/),
      });
    },
  );

  it('says at /healthz that the process is there', async () => {
    const answer = await request(server).get('/healthz').expect(200, { status: 'ok' });

    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('hands over to the application', async () => {
    handler.become((_request, response) => void response.writeHead(204).end());

    await request(server).get('/api/v1/me').expect(204);
  });
});
