import { expect } from '@jest/globals';

import type { TestKey } from '../app/app.js';
import { inParallel } from '../app/parallel.js';
import type { ServerProcess } from '../process/server-process.js';

const AT_ONCE = 10;

/** The body of a request for a key. */
export const ONE_KEY = { name: 'Short-lived', scopes: ['contacts:read'] };

/** A key that a server has acknowledged. */
export interface Minted {
  readonly id: string;
  readonly secret: string;
}

/** The status that a server answers a key with. */
export async function statusOf(server: ServerProcess, secret: string): Promise<number> {
  return (await server.send('GET', '/api/v1/me', { key: secret })).status;
}

/**
 * Mints a key and revokes it through one server, and uses it at the other, again and again.
 * @returns how often each status answered the first use after the revocation
 */
export async function revokeInRounds({
  a,
  b,
  admin,
  rounds,
}: {
  a: ServerProcess;
  b: ServerProcess;
  admin: TestKey;
  rounds: number;
}): Promise<[status: number, count: number][]> {
  const verdicts = new Map<number, number>();
  await inParallel(rounds, AT_ONCE, async () => {
    const { id, secret } = await mint(a, admin);
    expect(await Promise.all([statusOf(a, secret), statusOf(b, secret)])).toEqual([200, 200]);
    // Asking while it is being revoked: an answer that is under way must not outlive the revocation.
    const asked = statusOf(b, secret);
    const revoked = await a.send('DELETE', `/api/v1/api-keys/${id}`, {
      key: admin.secret,
      body: { confirm: ONE_KEY.name },
    });
    expect(revoked.status).toBe(204);
    const next = await statusOf(b, secret);
    verdicts.set(next, (verdicts.get(next) ?? 0) + 1);
    expect([200, 401]).toContain(await asked);
  });
  return [...verdicts];
}

async function mint(server: ServerProcess, by: TestKey): Promise<Minted> {
  const answer = await server.send('POST', '/api/v1/api-keys', { key: by.secret, body: ONE_KEY });
  const { id, key = '' } = answer.json.data ?? { id: '' };
  if (answer.status !== 201) throw new Error(`not minted: ${answer.status} ${answer.text}`);
  return { id: String(id), secret: key };
}
