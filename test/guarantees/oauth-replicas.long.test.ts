import { beforeAll, describe, expect, it } from '@jest/globals';

import type { TestKey } from '../support/app/app.js';
import { asserting, createPair, signAssertion } from '../support/oauth/assertions.js';
import { createDeviceUser } from '../support/oauth/device.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  post,
  registerClient,
  type BrowserStop,
  type TestClient,
} from '../support/oauth/oauth.js';
import { statusOf } from '../support/oauth/token-families.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

const ROUNDS = 30;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

describe('one-time things of OAuth on two server processes', () => {
  const both = useTwoReplicas();
  let issuer: string;
  let client: TestClient;
  beforeAll(async () => {
    issuer = both.gatehouse.config.ISSUER;
    client = await registerClient(both.gatehouse);
  }, 60_000);

  const replicas = () => [both.a, both.b] as const;
  const onBoth = <Result>(ask: (server: { readonly origin: string }) => Promise<Result>) =>
    Promise.all(replicas().map(ask));

  it(`a pushed request that is pushed at one is used at one, ${ROUNDS} times`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { challenge: code_challenge } = createPkce();
      const url = new URL(authorizeUrl(issuer, { client_id: client.client_id, code_challenge }));
      const server = replicas()[round % 2] ?? both.a;
      const pushed = await post(server, 'par', Object.fromEntries(url.searchParams));
      const { request_uri } = (await pushed.json()) as { request_uri: string };
      url.search = new URLSearchParams({ client_id: client.client_id, request_uri }).toString();
      const stops = await onBoth(({ origin }) => createBrowser({ origin, issuer }).open(url.href));
      expect(stops.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    }
  }, 60_000);

  it(`an assertion authenticates at one, ${ROUNDS} times`, async () => {
    const pair = await createPair('ES256', 'own');
    const keyed = await registerClient(both.gatehouse, {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [pair.jwk] },
    });
    for (let round = 0; round < ROUNDS; round += 1) {
      const fields = asserting(await signAssertion(keyed.client_id, issuer, pair));
      const answers = await onBoth((server) =>
        post(server, 'introspect', { token: 'x', ...fields }),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 401]);
    }
  }, 60_000);

  it(`a device code gives tokens at one, and is decided at one, ${ROUNDS} times`, async () => {
    const device = await registerClient(both.gatehouse, {
      grant_types: [DEVICE_GRANT, 'refresh_token'],
    });
    const user = await both.newUser();
    const people = replicas().map(({ origin }) =>
      createDeviceUser({ origin, config: { ISSUER: issuer } }, user),
    );
    const { client_id } = device;
    for (let round = 0; round < ROUNDS; round += 1) {
      await both.gatehouse.database.query('DELETE FROM attempts');
      const [begun] = replicas();
      const answer = await post(begun, 'device', { client_id, scope: 'contacts:read' });
      const codes = (await answer.json()) as { device_code: string; user_code: string };
      const pages = await Promise.all(people.map((person) => person.type(codes.user_code)));
      // One allows and one refuses, at once: whichever came first holds.
      const decisions = ['approve', 'deny'] as const;
      const outcomes = await Promise.all(
        people.map((person, index) =>
          person.submit(pages[index] as BrowserStop, { decision: decisions[index] ?? 'deny' }),
        ),
      );
      const polls = await onBoth((server) =>
        post(server, 'token', {
          client_id,
          grant_type: DEVICE_GRANT,
          device_code: codes.device_code,
        }),
      );
      const isApproved = outcomes[0]?.status === 200 && outcomes[0].html.includes('connected');
      const good = polls.filter(({ status }) => status === 200);
      expect(good.length).toBe(isApproved ? 1 : 0);
    }
  }, 120_000);

  it(`a token for a key works at the other at once, and ends with it, ${ROUNDS} times`, async () => {
    const manager = await both.gatehouse.createKey(both.tenant);
    const exchange = async (server: { readonly origin: string }, { secret }: TestKey) => {
      const answer = await post(server, 'token', {
        grant_type: EXCHANGE,
        subject_token: secret,
        subject_token_type: ACCESS_TOKEN,
      });
      return { status: answer.status, body: (await answer.json()) as { access_token: string } };
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      const key = await both.gatehouse.createKey(both.tenant, { scopes: ['contacts:read'] });
      const { body: first } = await exchange(both.a, key);
      expect(await statusOf(both.b, first.access_token)).toBe(200);
      // Exchanges run beside the end of the key: whatever they answered, it is over.
      const racing = Array.from({ length: 6 }, (_, index) =>
        exchange(index % 2 === 0 ? both.a : both.b, key),
      );
      const ended = await fetch(`${both.a.origin}/api/v1/api-keys/${key.id}`, {
        method: 'DELETE',
        headers: { ...manager.bearer, 'Content-Type': 'application/json' },
        body: JSON.stringify({ confirm: 'A key' }),
      });
      expect(ended.status).toBe(204);
      const tokens = [first, ...(await Promise.all(racing)).map(({ body }) => body)];
      for (const { access_token: token = 'none' } of tokens) {
        expect(await statusOf(both.a, token)).toBe(401);
        expect(await statusOf(both.b, token)).toBe(401);
      }
    }
  }, 120_000);
});
