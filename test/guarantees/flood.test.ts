import { describe, expect, it } from '@jest/globals';

import { head, useFloodTarget } from '../support/faults/flood.js';
import { until } from '../support/app/until.js';

// `flood.long.test.ts` sends more than a server can hold.
describe('a server that is sent malformed requests', () => {
  const target = useFloodTarget({ bytes: 40_000_000, honestRequests: 20 });

  it('refuses each, and answers others after it', async () => {
    const refused: [string, string, number][] = [
      ['headers of 40 KB', head('/healthz', `A: ${'x'.repeat(40_000)}`), 431],
      ['a thousand header lines', head('/healthz', ...Array<string>(1000).fill('A: b')), 431],
      ['a request without an end', `GET /${'x'.repeat(100_000)}`, 431],
      ['two lengths', head('/healthz', 'Content-Length: 1', 'Content-Length: 2'), 400],
      [
        'a length beside chunks',
        head('/x', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
        400,
      ],
      ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
      ['a line of noise', '\0\u0001\u0002 garbage\r\n\r\n', 400],
    ];
    for (const [what, text, status] of refused) {
      let answer = '';
      const socket = target.connect();
      socket.setEncoding('latin1').on('data', (piece: string) => (answer += piece));
      socket.write(text);
      await until(() => answer.includes('\r\n\r\n'), { what: `an answer to ${what}` });
      expect([what, answer.split(' ')[1]]).toEqual([what, String(status)]);
      expect((await target.server.send('GET', '/healthz')).status).toBe(200);
    }
  }, 30_000);
});
