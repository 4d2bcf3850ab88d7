import { expect } from '@jest/globals';

import { authorize, createPkce, post, REDIRECT, type TestClient } from './oauth.js';

type Server = Parameters<typeof authorize>[0];
type Flow = Parameters<typeof authorize>[1];
type Fields = Readonly<Record<string, string>>;

/** How a client says who it is, in the form. */
export function authenticationOf({ client_id, client_secret }: TestClient): Fields {
  return { client_id, ...(client_secret !== undefined && { client_secret }) };
}

/** Authorizes, and returns the form that redeems the code. */
export async function getCodeForm(server: Server, flow: Flow): Promise<Record<string, string>> {
  const { verifier, challenge } = createPkce();
  const parameters = { ...flow.parameters, code_challenge: challenge };
  const answer = await authorize(server, { ...flow, parameters });
  return {
    grant_type: 'authorization_code',
    code: answer.searchParams.get('code') ?? `none: ${answer.href}`,
    redirect_uri: flow.parameters?.['redirect_uri'] ?? REDIRECT,
    code_verifier: verifier,
    ...authenticationOf(flow.client),
  };
}

export function refresh(
  server: Server,
  client: TestClient,
  token: string | undefined,
  more: Fields = {},
): Promise<Response> {
  return post(server, 'token', {
    grant_type: 'refresh_token',
    refresh_token: token ?? '',
    ...authenticationOf(client),
    ...more,
  });
}

/** Whether an access token opens the API at this moment: its status there. */
export async function statusOfToken(server: Server, token: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${server.origin}/api/v1/me`, { headers })).status;
}

/** Checks that an answer is this error, in the form that RFC 6749 §5.2 gives it. */
export async function expectOAuthError(
  answer: Response,
  status: number,
  error: string,
): Promise<void> {
  const text = await answer.text();
  expect({ status: answer.status, text }).toEqual({
    status,
    text: expect.stringContaining(`"error":"${error}"`),
  });
  expect(answer.headers.get('Content-Type')).toMatch(/^application\/json/);
  expect(answer.headers.get('Cache-Control')).toContain('no-store');
  expect(JSON.parse(text)).toMatchObject({ error, error_description: expect.stringMatching(/./) });
}
