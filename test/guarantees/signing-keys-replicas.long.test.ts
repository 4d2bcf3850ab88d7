import { describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose';

import type { ServerProcess } from '../support/process/server-process.js';
import { redeem } from '../support/oauth/token-families.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';
import { until } from '../support/app/until.js';

/** Replicas look every five seconds. */
const SOON = { withinMs: 15_000 };

describe('signing keys that are rotated under two servers', () => {
  const both = useTwoReplicas({ scope: 'openid contacts:read' });

  const jwksOf = async (server: ServerProcess) =>
    JSON.parse((await server.send('GET', '/api/v1/oauth/jwks')).text) as JSONWebKeySet;
  const publishedBy = async (server: ServerProcess) =>
    (await jwksOf(server)).keys
      .filter(({ alg }) => alg === 'RS256')
      .map(({ kid }) => kid)
      .toSorted();

  /** The key that an id_token of this server was signed with; both servers' documents verify it. */
  async function signerAt(server: ServerProcess): Promise<string | undefined> {
    const { installer, a, b, gatehouse } = both;
    const { tokens } = await redeem(server, installer.client, await installer.authorize());
    const idToken = tokens.id_token ?? '';
    for (const replica of [a, b]) {
      const { payload } = await jwtVerify(idToken, createLocalJWKSet(await jwksOf(replica)), {
        issuer: gatehouse.config.ISSUER,
        audience: installer.client.client_id,
      });
      expect(payload.sub).toBe(installer.user.id);
    }
    return decodeProtectedHeader(idToken).kid;
  }
  const signers = async () => [await signerAt(both.a), await signerAt(both.b)];
  const published = (kids: readonly (string | undefined)[]) =>
    until(async () => {
      const seen = await Promise.all([both.a, both.b].map(publishedBy));
      return seen.every((list) => list.join() === kids.toSorted().join());
    }, SOON);

  it('change without a restart, and every signature verifies at any time', async () => {
    const { database } = both.gatehouse;
    const [old] = await publishedBy(both.a);
    expect(await signers()).toEqual([old, old]);

    const rotated = await both.cli(['signing-keys', 'rotate', '--json']);
    const made = JSON.parse(rotated.stdout) as { id: string; algorithm: string }[];
    const { id } = made.find(({ algorithm }) => algorithm === 'RS256') ?? { id: 'none' };
    await published([old, id]);
    expect(await signers()).toEqual([old, old]);

    await database.shiftClock('1 hour 1 second');
    // While they follow, each signs with one or the other, and both are published by both.
    await until(async () => (await signers()).every((kid) => kid === id), SOON);
    await published([old, id]);

    await database.shiftClock('2 hours 6 minutes');
    await published([id]);
    expect(await signers()).toEqual([id, id]);
  }, 60_000);
});
