import { expect } from '@jest/globals';

import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp, TestKey } from '../app/app.js';
import { postContact } from '../app/contacts.js';
import { createCredential } from '../app/credentials.js';
import { sendRaw, type RawAnswer } from '../app/raw-http.js';
import { createProver } from '../oauth/dpop.js';
import { createUser, getTokens, registerClient } from '../oauth/oauth.js';
import type { GuardedServices } from './services.js';

type Lines = readonly (readonly [name: string, value: string])[];

/** A request that Gatehouse's own guard and every adapter must answer alike. */
export interface Row {
  readonly title: string;
  readonly path?: string;
  /** The path at Gatehouse, if it is another one. */
  readonly ownPath?: string;
  readonly method?: string;
  /** Made for each request, because a proof works once. */
  readonly headers: Lines | (() => Promise<Lines>);
  readonly body?: string;
  /** The expected status; 200 stands for any success. */
  readonly status: number;
}

const CONTACTS = '/api/v1/contacts';
const PRODUCTS = '/api/v1/products';
const bearer = (secret: string) => [['Authorization', `Bearer ${secret}`]] as const;
const apiKey = (secret: string) => [['X-API-Key', secret]] as const;

/** Creates credentials of every kind, and a table of requests that present them. */
export async function createTable(gatehouse: TestApp, tenant: Tenant): Promise<readonly Row[]> {
  const key = await gatehouse.createKey(tenant, { scopes: ['contacts:read', 'contacts:write'] });
  return [
    ...presentationRows(key),
    ...(await kindRows(gatehouse, tenant, key)),
    ...(await stateRows(gatehouse, tenant)),
    ...(await proofRows(gatehouse, tenant)),
  ];
}

function presentationRows(key: TestKey): readonly Row[] {
  const { secret } = key;
  const long = `bwp_live_${'x'.repeat(8000)}`;
  return [
    { title: 'no credential', headers: [], status: 401 },
    { title: 'a bearer', headers: bearer(secret), status: 200 },
    { title: 'HEAD', method: 'HEAD', headers: bearer(secret), status: 200 },
    { title: 'HEAD, refused', method: 'HEAD', headers: [], status: 401 },
    { title: 'a token', headers: [['Authorization', `token  ${secret}`]], status: 200 },
    { title: 'X-API-Key', headers: apiKey(secret), status: 200 },
    { title: 'the brand header', headers: [['x-bwp-api-token', secret]], status: 200 },
    { title: 'an empty header', headers: apiKey(''), status: 401 },
    { title: 'an empty Authorization', headers: [['Authorization', '']], status: 401 },
    { title: 'a scheme alone', headers: [['Authorization', 'Bearer']], status: 401 },
    { title: 'two words', headers: [['Authorization', `Bearer ${secret} x`]], status: 401 },
    { title: 'Basic', headers: [['Authorization', 'Basic eDp5']], status: 401 },
    { title: 'no scheme', headers: [['Authorization', secret]], status: 401 },
    { title: 'two headers', headers: [...bearer(secret), ...apiKey(secret)], status: 400 },
    { title: 'a header twice', headers: [...apiKey(secret), ...apiKey(secret)], status: 400 },
    { title: 'Authorization twice', headers: [...bearer(secret), ...bearer('x')], status: 400 },
    {
      title: 'an unknown scheme beside a key',
      headers: [['Authorization', 'Basic eDp5'], ...apiKey(secret)],
      status: 400,
    },
    {
      title: 'a key in the URL',
      path: `${CONTACTS}?auth_token=${secret}`,
      headers: [],
      status: 401,
    },
    { title: 'an empty URL', path: `${CONTACTS}?auth_token=`, headers: [], status: 401 },
    {
      title: 'an encoded name in the URL',
      path: `${CONTACTS}?%61uth_token=${secret}`,
      headers: bearer(secret),
      status: 400,
    },
    {
      title: 'DPoP without a binding',
      headers: [['Authorization', `DPoP ${secret}`]],
      status: 401,
    },
    { title: 'a checksum', headers: bearer(`${secret.slice(0, -1)}_`), status: 401 },
    { title: 'a refresh token', headers: bearer(`bwp_rt_${'x'.repeat(49)}`), status: 401 },
    { title: 'a JWT', headers: apiKey('eyJhbGciOiJub25lIn0.e30.'), status: 401 },
    { title: 'quotes', headers: apiKey('"key"'), status: 401 },
    { title: 'a long text', headers: bearer(long), status: 401 },
    { title: '__proto__', headers: bearer('__proto__'), status: 401 },
    { title: 'bytes', headers: apiKey('\u00e9\u00ff'), status: 401 },
  ];
}

async function kindRows(gatehouse: TestApp, tenant: Tenant, key: TestKey): Promise<readonly Row[]> {
  const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  const client = await registerClient(gatehouse);
  const { access_token: token } = await getTokens(gatehouse, { client, user });
  const create = (
    kind: 'publishable' | 'personal' | 'agent',
    scope: 'products:read' | 'contacts:read',
  ) => createCredential(gatehouse, tenant, kind, [scope]);
  const open = await create('publishable', 'products:read');
  const personal = await create('personal', 'contacts:read');
  const agent = await create('agent', 'contacts:read');
  const contact = await postContact(gatehouse, key);
  const one = `${CONTACTS}/${(contact.body as { data: { id: number } }).data.id}`;
  const bind = async (id: string) =>
    gatehouse.createKey(tenant, { kind: 'agent', bindings: [{ type: 'contacts', id }] });
  const [bound, elsewhere] = [await bind(one.slice(CONTACTS.length + 1)), await bind('0')];
  const change = { method: 'POST', body: '{"type":"customer"}' };
  const json = [['Content-Type', 'application/json']] as const;
  return [
    { title: 'a token of a user', headers: bearer(token), status: 200 },
    { title: 'a personal token', headers: bearer(personal.secret), status: 200 },
    { title: 'an agent', headers: bearer(agent.secret), status: 200 },
    { title: 'a change', ...change, headers: [...json, ...bearer(key.secret)], status: 200 },
    {
      title: 'a change without the scope',
      ...change,
      headers: [...json, ...bearer(personal.secret)],
      status: 403,
    },
    { title: 'a publishable key', path: PRODUCTS, headers: apiKey(open.secret), status: 200 },
    {
      title: 'a publishable key in the URL',
      path: `${PRODUCTS}?auth_token=${open.secret}`,
      headers: [],
      status: 200,
    },
    { title: 'a kind that is not admitted', headers: apiKey(open.secret), status: 403 },
    { title: 'a scope that it lacks', path: PRODUCTS, headers: bearer(key.secret), status: 403 },
    { title: 'any kind', path: '/api/v1/me', headers: apiKey(open.secret), status: 200 },
    { title: 'a pair', headers: [...bearer(token), ...apiKey(open.secret)], status: 200 },
    {
      title: 'a key beside a publishable key',
      headers: [...bearer(key.secret), ...apiKey(open.secret)],
      status: 400,
    },
    {
      title: 'an unknown token beside a publishable key',
      headers: [...bearer('nonsense'), ...apiKey(open.secret)],
      status: 401,
    },
    {
      title: 'a broken publishable key beside a token',
      headers: [...bearer(token), ...apiKey(`${open.secret}x`)],
      status: 400,
    },
    { title: 'a bound agent', path: one, headers: bearer(bound.secret), status: 200 },
    { title: 'another resource', path: one, headers: bearer(elsewhere.secret), status: 403 },
    { title: 'a list for a bound agent', headers: bearer(bound.secret), status: 403 },
  ];
}

async function stateRows(gatehouse: TestApp, tenant: Tenant): Promise<readonly Row[]> {
  const { database, http } = gatehouse;
  const fields = { scopes: ['contacts:read'] };
  const [admin, revoked, expired] = (await Promise.all(
    [{}, fields, { ...fields, expiresAt: new Date(Date.now() + 3_600_000).toISOString() }].map(
      (one) => gatehouse.createKey(tenant, one),
    ),
  )) as [TestKey, TestKey, TestKey];
  const here = await gatehouse.createKey(tenant, { ...fields, allowedIps: ['127.0.0.0/8'] });
  const elsewhere = await gatehouse.createKey(tenant, { ...fields, allowedIps: ['192.0.2.1'] });
  await http.delete(`/api/v1/api-keys/${revoked.id}`).set(admin.bearer).send({ confirm: 'A key' });
  await database.query('UPDATE credentials SET expires_at = created_at WHERE id = $1', [
    expired.id,
  ]);
  return [
    { title: 'an unknown key', headers: bearer(gatehouse.format.mint('live')), status: 401 },
    { title: 'a revoked key', headers: bearer(revoked.secret), status: 401 },
    { title: 'an expired key', headers: bearer(expired.secret), status: 401 },
    { title: 'an address in the list', headers: bearer(here.secret), status: 200 },
    { title: 'an address outside the list', headers: bearer(elsewhere.secret), status: 401 },
  ];
}

async function proofRows(gatehouse: TestApp, tenant: Tenant): Promise<readonly Row[]> {
  const [prover, other] = await Promise.all([createProver(), createProver()]);
  const { secret } = await gatehouse.createKey(tenant, {
    scopes: ['contacts:read', 'contacts:write'],
    jwk: prover.jwk,
  });
  const url = gatehouse.config.ISSUER + CONTACTS;
  const scheme = [['Authorization', `DPoP ${secret}`]] as const;
  const proven =
    (more: object = {}, by = prover) =>
    async () => {
      const proof = await by.prove({ url, credential: secret, ...more });
      return [...scheme, ['DPoP', proof]] as const;
    };
  const used = await proven()();
  await sendRaw(gatehouse.origin, { path: CONTACTS, headers: used });
  return [
    { title: 'a proof', headers: proven(), status: 200 },
    { title: 'a proof and a query', path: `${CONTACTS}?limit=1`, headers: proven(), status: 200 },
    { title: 'a bound key as a bearer', headers: bearer(secret), status: 401 },
    { title: 'no proof', headers: scheme, status: 401 },
    { title: 'an empty proof', headers: [...scheme, ['DPoP', '']], status: 401 },
    {
      title: 'two proofs',
      headers: async () => [...(await proven()()), ['DPoP', 'x']],
      status: 401,
    },
    { title: 'a long proof', headers: [...scheme, ['DPoP', 'x'.repeat(9000)]], status: 401 },
    { title: 'a used proof', headers: used, status: 401 },
    { title: 'a proof by another key', headers: proven({}, other), status: 401 },
    { title: 'a proof for another method', headers: proven({ method: 'POST' }), status: 401 },
    { title: 'a proof for another URL', headers: proven({ url: `${url}/1` }), status: 401 },
    {
      title: 'a proof for the host of the service',
      headers: proven({ url: `http://x${CONTACTS}` }),
      status: 401,
    },
    { title: 'an old proof', headers: proven({ claims: { iat: 1 } }), status: 401 },
    { title: 'an old proof with a nonce', headers: proven({ nonce: '1.x' }), status: 401 },
    {
      title: 'a proof without the scope',
      path: PRODUCTS,
      headers: proven({ url: gatehouse.config.ISSUER + PRODUCTS }),
      status: 403,
    },
  ];
}

/** Sends every request of the table to Gatehouse and to all services, and compares the answers. */
export async function expectConformance(
  gatehouse: TestApp,
  { origins }: GuardedServices,
  table: readonly Row[],
): Promise<void> {
  const compare = async (row: Row): Promise<readonly unknown[]> => {
    const names = ['Gatehouse', ...Object.keys(origins)];
    const [own, ...others] = await Promise.all(
      [gatehouse.origin, ...Object.values(origins)].map((origin, index) =>
        send(row, origin, index === 0),
      ),
    );
    const isRight = own?.status === row.status;
    const different = others
      .map((answer, index) => ({ title: row.title, adapter: names[index + 1], answer, own }))
      .filter(({ answer }) => JSON.stringify(answer) !== JSON.stringify(own));
    return isRight ? different : [{ title: row.title, own }, ...different];
  };
  expect((await Promise.all(table.map(compare))).flat()).toEqual([]);
}

async function send(row: Row, origin: string, isOwn: boolean) {
  const headers = typeof row.headers === 'function' ? await row.headers() : row.headers;
  const { method = 'GET', body } = row;
  const path = (isOwn ? row.ownPath : undefined) ?? row.path ?? CONTACTS;
  const length = body === undefined ? [] : [['Content-Length', String(body.length)] as const];
  const request = { path, method, headers: [...headers, ...length], ...(body && { body }) };
  return comparable(await sendRaw(origin, request));
}

/** The parts of an answer that must be equal. */
function comparable({ status, headers, text }: RawAnswer) {
  const requestId = String(headers['x-request-id']);
  expect(requestId).toMatch(/^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  const isRefused = status >= 400;
  const { request_id: inBody, ...problem } =
    isRefused && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {};
  if (inBody !== undefined) expect(inBody).toBe(requestId);
  return {
    status: status < 300 ? 200 : status,
    challenge: headers['www-authenticate'],
    type: isRefused ? headers['content-type'] : undefined,
    cache: isRefused ? headers['cache-control'] : undefined,
    hasNonce: headers['dpop-nonce'] !== undefined,
    hasRetry: headers['retry-after'] !== undefined,
    limits: ['tenant', 'key'].flatMap((name) =>
      ['limit', 'remaining'].map((figure) => headers[`ratelimit-${name}-${figure}`]),
    ),
    problem: { ...problem, detail: String(problem['detail']).replace(/\d+ s/, 'N s') },
  };
}
