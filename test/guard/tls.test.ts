import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as forward } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { TestKey } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { until } from '../support/app/until.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { createAuthority } from '../support/browser/certificates.js';
import { startServices } from '../support/guard/services.js';

describe('the guard package at a Gatehouse behind TLS with a private authority', () => {
  const gatehouse = useGatehouse();
  const proxies: Server[] = [];
  let folder: string;
  let trusting: { readonly NODE_EXTRA_CA_CERTS: string };
  let urls: Readonly<Record<'right' | 'misnamed', string>>;
  let options: Omit<Parameters<typeof startServices>[0], 'url'>;
  let key: TestKey;
  /** The paths of the requests that the proxies decrypted. */
  let seen: string[] = [];
  beforeAll(async () => {
    const authority = createAuthority();
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-guard-tls-'));
    trusting = { NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem') };
    await writeFile(trusting.NODE_EXTRA_CA_CERTS, authority.certificate);
    urls = {
      right: await listen(authority.issue('localhost')),
      misnamed: await listen(authority.issue('other.example')),
    };
    const tenant = await gatehouse.createTenant('acme');
    const { secret } = await createCredential(gatehouse, tenant, 'service', ['introspect']);
    const issuer = gatehouse.config.ISSUER;
    options = { issuer, credential: secret, freshness: { maxStaleMs: 60_000 } };
    key = await gatehouse.createKey(tenant);
  });
  beforeEach(() => {
    seen = [];
  });
  afterAll(async () => {
    for (const proxy of proxies) {
      proxy.closeAllConnections();
      proxy.close();
    }
    await rm(folder, { recursive: true, force: true });
  });

  /** Ends TLS before Gatehouse. */
  async function listen({ key: secretKey, certificate }: { key: string; certificate: string }) {
    const proxy = createServer({ key: secretKey, cert: certificate }, (request, response) => {
      const { url = '', method, headers } = request;
      seen.push(url);
      const onward = forward(gatehouse.origin + url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      response.on('close', () => onward.destroy());
      request.pipe(onward);
    });
    proxies.push(proxy);
    proxy.listen(0, 'localhost');
    await once(proxy, 'listening');
    return `https://localhost:${(proxy.address() as AddressInfo).port}`;
  }

  const statusAt = async (origin: string, bearer: Readonly<Record<string, string>>) =>
    (await fetch(`${origin}/api/v1/me`, { headers: bearer })).status;

  it('judges by it and follows its changes, if the process trusts the authority', async () => {
    const services = await startServices({ ...options, url: urls.right }, undefined, trusting);
    try {
      for (const origin of Object.values(services.origins)) {
        expect([await statusAt(origin, key.bearer), await statusAt(origin, {})]).toEqual([
          200, 401,
        ]);
      }
      expect(seen).toContain('/api/v1/verify');
      await until(() => seen.includes('/api/v1/verify/changes'));
      // Verdicts are kept only while the stream brings beats.
      await until(async () => {
        await statusAt(services.origins.koa, key.bearer);
        const asked = seen.length;
        await statusAt(services.origins.koa, key.bearer);
        return seen.length === asked;
      });
    } finally {
      expect([await services.close(), services.errors()]).toEqual([0, '']);
    }
  });

  it.each([
    ['does not trust the authority', 'right', {}, /unable to verify|certificate/],
    ['is shown the certificate of another name', 'misnamed', undefined, /altnames/],
  ] as const)(
    'sends nothing and answers 503, if the process %s',
    async (_what, url, env, fault) => {
      const given = { ...options, url: urls[url] };
      const services = await startServices(given, undefined, env ?? trusting);
      try {
        for (const origin of Object.values(services.origins)) {
          expect(await statusAt(origin, key.bearer)).toBe(503);
        }
        expect(services.errors()).toMatch(fault);
        expect(seen).toEqual([]);
      } finally {
        await services.close();
      }
    },
  );
});
