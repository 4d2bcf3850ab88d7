import { Agent, request as httpRequest } from 'node:http';

import * as fixture from './oauth-fixture.js';

/** Credentials that the mixture presents. */
export interface Credentials {
  /** Keys of one tenant, which read contacts and write them. */
  readonly keys: readonly string[];
  /** A key of the same tenant, which manages keys. */
  readonly manager: string;
  readonly refreshTokens: readonly string[];
}

/** How often each answer was seen, by kind of request, status and error code. */
export type Counts = Map<string, number>;

const CONNECTIONS = 50;

interface Answer {
  readonly status: number;
  readonly body: string;
}

type Send = (method: string, path: string, options?: Sent) => Promise<Answer>;
interface Sent {
  readonly key?: string;
  readonly json?: object;
  readonly form?: Readonly<Record<string, string>>;
}

/**
 * Sends what services, apps and administrators send, over 50 connections without a pause: of 100 requests 66 verify a
 * key, 10 list contacts, 8 create one, 6 refresh a token, 2 create a key and 2 revoke it, 6 present a key that was never issued.
 *
 * @param milliseconds how long
 * @returns what was answered
 */
export async function sendMixedLoad(
  port: number,
  credentials: Credentials,
  milliseconds: number,
): Promise<Counts> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const counts: Counts = new Map();
  const end = Date.now() + milliseconds;
  const send = createSender(port, agent);
  const mixture = createMixture(send, credentials);
  const work = async () => {
    while (Date.now() < end) {
      const { name, run } = pick(mixture);
      const { status, body } = await run();
      const [, code = ''] = status < 400 ? [] : (/"(?:code|error)":"(\w+)"/.exec(body) ?? []);
      const kind = `${name} ${status} ${code}`.trimEnd();
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  agent.destroy();
  return counts;
}

interface Kind {
  readonly name: string;
  /** Share of 100 requests. */
  readonly share: number;
  run(): Promise<Answer>;
}

function createMixture(send: Send, { keys, manager, refreshTokens }: Credentials): Kind[] {
  const anyKey = () => keys[Math.floor(Math.random() * keys.length)] ?? '';
  const chains = refreshTokens.map((token) => ({ token, isUsed: false }));
  const revokeKey = async (): Promise<Answer> => {
    const created = await send('POST', '/api/v1/api-keys', {
      key: manager,
      json: { name: 'Deployment', scopes: ['contacts:read'], environment: 'live' },
    });
    if (created.status !== 201) return created;
    const { data } = JSON.parse(created.body) as { data: { id: string } };
    return send('DELETE', `/api/v1/api-keys/${data.id}`, { key: manager, json: {} });
  };
  const refresh = async (): Promise<Answer> => {
    const free = chains.filter(({ isUsed }) => !isUsed);
    const chain = free[Math.floor(Math.random() * free.length)];
    if (chain === undefined) throw new Error('more refreshes at once than there are grants');
    chain.isUsed = true;
    const answer = await send('POST', fixture.REFRESH.path, {
      form: {
        grant_type: 'refresh_token',
        client_id: fixture.PUBLIC_CLIENT,
        refresh_token: chain.token,
      },
    });
    if (answer.status === 200) {
      chain.token = (JSON.parse(answer.body) as { refresh_token: string }).refresh_token;
    }
    chain.isUsed = false;
    return answer;
  };
  return [
    { name: 'verify a key', share: 66, run: () => send('GET', '/api/v1/me', { key: anyKey() }) },
    {
      name: 'list contacts',
      share: 10,
      run: () => send('GET', '/api/v1/contacts?limit=25', { key: anyKey() }),
    },
    {
      name: 'create a contact',
      share: 8,
      run: () =>
        send('POST', '/api/v1/contacts', {
          key: anyKey(),
          json: { firstName: 'Ada', lastName: 'Lovelace', type: 'customer' },
        }),
    },
    { name: 'refresh a token', share: 6, run: refresh },
    { name: 'create and revoke a key', share: 4, run: revokeKey },
    {
      name: 'present an unknown key',
      share: 6,
      run: () => send('GET', '/api/v1/me', { key: `bwp_live_${anyKey().slice(9).toUpperCase()}` }),
    },
  ];
}

function pick(mixture: readonly Kind[]): Kind {
  let left = Math.random() * mixture.reduce((sum, { share }) => sum + share, 0);
  const kind = mixture.find(({ share }) => (left -= share) < 0) ?? mixture[0];
  if (kind === undefined) throw new Error('there is nothing to send');
  return kind;
}

function createSender(port: number, agent: Agent): Send {
  return (method, path, { key, json, form } = {}) => {
    const body = form ? String(new URLSearchParams(form)) : json ? JSON.stringify(json) : undefined;
    const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
    return new Promise((resolve, reject) => {
      const headers = {
        ...(key !== undefined && { 'X-API-Key': key }),
        ...(body !== undefined && {
          'Content-Type': type,
          'Content-Length': Buffer.byteLength(body),
        }),
      };
      httpRequest({ host: '127.0.0.1', port, method, path, agent, headers }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece)).on('error', reject);
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(pieces).toString(),
          });
        });
      })
        .on('error', reject)
        .end(body);
    });
  };
}
