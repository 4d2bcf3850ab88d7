import { beforeAll, describe, expect, it } from '@jest/globals';

import { createProver, type Prover } from '../support/oauth/dpop.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

const ROUNDS = 50;

describe('proofs of possession on two server processes', () => {
  const both = useTwoReplicas();
  let prover: Prover;
  let key: string;
  let url: string;
  beforeAll(async () => {
    prover = await createProver();
    url = `${both.gatehouse.config.ISSUER}/api/v1/me`;
    const scopes = ['api_keys:manage', 'contacts:read'] as const;
    const manager = await both.gatehouse.createKey(both.tenant, { scopes });
    const { body } = await both.gatehouse.http
      .post('/api/v1/api-keys')
      .set(manager.bearer)
      .send({ name: 'Bound', scopes: ['contacts:read'], jwk: prover.jwk });
    key = body.data.key;
  }, 60_000);

  const call = (origin: string, proof: string) =>
    fetch(`${origin}/api/v1/me`, { headers: { Authorization: `DPoP ${key}`, DPoP: proof } });

  it(`work at one of both, ${ROUNDS} times out of ${ROUNDS}`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const proof = await prover.prove({ url, credential: key });
      const answers = await Promise.all([call(both.a.origin, proof), call(both.b.origin, proof)]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401]);
    }
  }, 60_000);

  it("are accepted with the other's nonce", async () => {
    const refused = await call(both.a.origin, await prover.prove({ url, claims: { iat: 1 } }));
    const nonce = refused.headers.get('DPoP-Nonce') ?? '';
    const proof = await prover.prove({ url, credential: key, nonce, claims: { iat: 1 } });
    expect((await call(both.b.origin, proof)).status).toBe(200);
  });
});
