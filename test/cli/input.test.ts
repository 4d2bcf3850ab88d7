import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';

import { TEST_SECRET_KEY } from '../support/app/app.js';
import { testServer } from '../support/database/database.js';

/** More than a pipe holds, so that it is taken only by a command that reads. */
const MUCH = 'x'.repeat(1_000_000);

describe('a command that reads standard input', () => {
  it.each([
    ['verify', ['verify']],
    [
      'accounts create --password-stdin',
      [
        'accounts',
        'create',
        '--email',
        'ann@example.com',
        '--tenant',
        'acme',
        '--role',
        'viewer',
        '--password-stdin',
      ],
    ],
  ])('holds no database while a person is typing: %s', async (_name, words) => {
    let connections = 0;
    const database = createServer((socket) => {
      connections++;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(database, 'listening');
    const { port } = database.address() as AddressInfo;
    const child = spawn(process.execPath, [`${testServer().build}/bundle/cli.js`, ...words], {
      env: {
        PATH: process.env['PATH'],
        DATABASE_URL: `postgres://someone:theirs@127.0.0.1:${port}/theirs`,
        SECRET_KEYS: TEST_SECRET_KEY,
      },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const exited = once(child, 'exit');
    // Refused if the command ends without having read it.
    await new Promise<void>((resolve, reject) => {
      child.stdin.once('error', reject);
      child.stdin.write(MUCH, () => resolve());
    });
    expect(connections).toBe(0);

    child.stdin.end();
    expect(await exited).toEqual([1, null]);
    expect(connections).toBeGreaterThan(0);
    database.close();
  });
});

describe('a command whose output nobody reads to its end', () => {
  it('ends without a message', async () => {
    const child = spawn(process.execPath, [`${testServer().build}/bundle/cli.js`, '--help'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    const [messages, exit] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect({ messages, exit }).toEqual({ messages: '', exit: [0, null] });
  });
});
