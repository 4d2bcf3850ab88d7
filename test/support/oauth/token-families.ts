import { Agent, request } from 'node:http';

import {
  authorize,
  createBrowser,
  createPkce,
  REDIRECT,
  type TestClient,
  type TestUser,
  type TokenResponse,
} from './oauth.js';

/** Where a request goes: one of several replicas. */
interface Replica {
  readonly origin: string;
}

/** Answer of the token endpoint: `tokens` if it is a success, `error` if not. */
export interface TokenAnswer {
  readonly status: number;
  readonly error: string | undefined;
  readonly tokens: TokenResponse;
}

/** A code, with what it is redeemed with. */
export interface IssuedCode {
  readonly code: string;
  readonly verifier: string;
}

/** A request that is under way. */
export interface Sent {
  /** All of it has left this process. */
  readonly flushed: Promise<void>;
  readonly answer: Promise<TokenAnswer>;
}

const DEADLINE_MS = 30_000;
const agent = new Agent({ keepAlive: true });

/** Posts a form to an endpoint. Unlike `fetch` it says when all is sent, and never repeats anything. */
function send(
  { origin }: Replica,
  endpoint: string,
  fields: Readonly<Record<string, string>>,
): Sent {
  const body = new URLSearchParams(fields).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const outgoing = request(`${origin}/api/v1/oauth/${endpoint}`, {
    method: 'POST',
    agent,
    headers,
  });
  const flushed = new Promise<void>((resolve) => outgoing.once('finish', resolve));
  const answer = new Promise<TokenAnswer>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.setTimeout(DEADLINE_MS, () => outgoing.destroy(new Error('no answer in time')));
    outgoing.once('response', (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const json = JSON.parse(text || '{}') as TokenResponse & { error?: string };
        resolve({ status: incoming.statusCode ?? 0, error: json.error, tokens: json });
      });
    });
  });
  outgoing.end(body);
  return { flushed, answer };
}

export function startRefresh(server: Replica, client: TestClient, token: string | undefined): Sent {
  return send(server, 'token', {
    grant_type: 'refresh_token',
    refresh_token: token ?? '',
    client_id: client.client_id,
    ...secretOf(client),
  });
}

export const refresh: (...args: Parameters<typeof startRefresh>) => Promise<TokenAnswer> = (
  ...args
) => startRefresh(...args).answer;

export function startRedemption(server: Replica, client: TestClient, issued: IssuedCode): Sent {
  return send(server, 'token', {
    grant_type: 'authorization_code',
    code: issued.code,
    client_id: client.client_id,
    code_verifier: issued.verifier,
    redirect_uri: REDIRECT,
    ...secretOf(client),
  });
}

export const redeem: (...args: Parameters<typeof startRedemption>) => Promise<TokenAnswer> = (
  ...args
) => startRedemption(...args).answer;

/** Ends a token (RFC 7009). */
export async function revoke(server: Replica, client: TestClient, token: string): Promise<number> {
  const fields = { token, client_id: client.client_id, ...secretOf(client) };
  return (await send(server, 'revoke', fields).answer).status;
}

function secretOf({ client_secret: secret }: TestClient): Readonly<Record<string, string>> {
  return secret === undefined ? {} : { client_secret: secret };
}

/** Status of the API's answer to an access token. */
export async function statusOf({ origin }: Replica, accessToken: string): Promise<number> {
  const headers = { Authorization: `Bearer ${accessToken}` };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${origin}/api/v1/me`, { agent, headers }, (incoming) => {
      incoming.resume().once('end', () => resolve(incoming.statusCode ?? 0));
    });
    outgoing.once('error', reject).end();
  });
}

/** Installs an app, again and again: each time a grant of its own. The user signs in and agrees once. */
export interface Installer {
  readonly client: TestClient;
  readonly user: TestUser;
  authorize(): Promise<IssuedCode>;
  install(): Promise<TokenResponse>;
}

export function createInstaller(
  server: Replica & { readonly config: { readonly ISSUER: string } },
  { client, user, scope }: { client: TestClient; user: TestUser; scope?: string },
): Installer {
  const browser = createBrowser({ origin: server.origin, issuer: server.config.ISSUER });
  const begin = async (): Promise<IssuedCode> => {
    const { verifier, challenge } = createPkce();
    const parameters = { code_challenge: challenge, ...(scope !== undefined && { scope }) };
    const { searchParams } = await authorize(server, { client, user, browser, parameters });
    const code = searchParams.get('code');
    if (code === null) throw new Error(`no code: ${searchParams.toString()}`);
    return { code, verifier };
  };
  return {
    client,
    user,
    authorize: begin,
    async install() {
      const { status, error, tokens } = await redeem(server, client, await begin());
      if (status !== 200) throw new Error(`no tokens: ${status} ${error}`);
      return tokens;
    },
  };
}

/** How often each answer came: `{ '200': 1, '400 invalid_grant': 49 }`. */
export function tally(answers: readonly TokenAnswer[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { status, error } of answers) {
    const key = error === undefined ? `${status}` : `${status} ${error}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
