import type { Response, Test } from 'supertest';

import { createTestApp, type TestApp } from './app.js';

/** An application that believes what tests say about their address. */
export function createTestAppBehindProxy(env: Record<string, string> = {}): Promise<TestApp> {
  return createTestApp({ TRUST_PROXY: '127.0.0.1', ...env });
}

let addresses = 0;

/** An address that nobody has used yet: no limit is near. */
export function freshAddress(): string {
  addresses += 1;
  return `198.51.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`;
}

/** `POST /api/v1/oauth/register`, from an address of its own unless one is given. */
export function register({ http }: TestApp, body: object | string, address = freshAddress()): Test {
  return http
    .post('/api/v1/oauth/register')
    .set({ 'X-Forwarded-For': address, 'Content-Type': 'application/json' })
    .send(typeof body === 'string' ? body : JSON.stringify(body));
}

/** A confidential client, as it was registered. */
export async function registerConfidential(app: TestApp, more: object = {}): Promise<Response> {
  return register(app, {
    client_name: 'Backend',
    redirect_uris: ['https://app.example.com/cb'],
    token_endpoint_auth_method: 'client_secret_basic',
    ...more,
  });
}

/** The management endpoint of a client (RFC 7592), with this registration token. */
export function managing({ http }: TestApp, clientId: string, token: string | undefined) {
  const path = `/api/v1/oauth/register/${clientId}`;
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  return {
    get: () => http.get(path).set(headers),
    put: (body: object) => http.put(path).set(headers).send(body),
    delete: () => http.delete(path).set(headers),
  };
}

export async function countClients({ database }: TestApp): Promise<number> {
  const [row] = await database.query<{ count: number }>('SELECT count(*)::int FROM clients');
  return row?.count ?? NaN;
}
