import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';

import type { Browser } from './oauth.js';
import { createWebServer, type WebServer } from '../app/web-server.js';

export const CLIENT_ID = 'gatehouse';
export const CLIENT_SECRET = 'the secret of gatehouse at its provider';

/** The answer of a provider to an authorization request. */
interface Authorized {
  readonly code: string;
  readonly state: string;
  /** The address to which the browser is sent back, with code, state and `iss`. */
  readonly callback: string;
}

interface Pending {
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
  readonly claims: JWTPayload;
}

/** An OpenID provider on this machine, whose answers a test can forge. */
export interface FakeProvider {
  readonly issuer: string;
  /** A file of providers with this one alone, as `acme`. */
  readonly file: string;
  /** Signs in as far as the callback, with a code that the provider does not know. */
  readonly failIn: (browser: Browser) => Promise<void>;
  readonly server: WebServer;
  /** Changes of the claims of the next ID tokens. */
  forge: (claims: JWTPayload) => JWTPayload | string | Promise<string>;
  /** Claims that only userinfo has. */
  userinfo: JWTPayload | undefined;
  /** Serves discovery, keys and tokens as at the beginning. */
  reset(): void;
  /** Signs a user in for the authorization request of a URL. */
  authorize(url: string, claims: JWTPayload): Authorized;
  /** Another signature by the provider's key. */
  sign(claims: JWTPayload): Promise<string>;
  close(): Promise<void>;
}

export async function createFakeProvider(
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<FakeProvider> {
  const server = await createWebServer();
  const issuer = `http://127.0.0.1:${server.port}`;
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  const codes = new Map<string, Pending>();
  const sign = (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey);

  const provider: FakeProvider = {
    issuer,
    file: writeProviders({ providers: [entryOf({ issuer }, 'acme', 'Acme')] }),
    async failIn(browser) {
      const { url } = await browser.submit(await browser.open('/login'), { provider: 'acme' });
      const { callback } = provider.authorize(url, { sub: 'somebody' });
      await browser.request(callback.replace(/code=\w+/, 'code=unknown'));
    },
    server,
    forge: (claims) => claims,
    userinfo: undefined,
    sign,
    reset() {
      provider.forge = (claims) => claims;
      provider.userinfo = undefined;
      server.serve('/.well-known/openid-configuration', {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256', 'none', 'HS256'],
        authorization_response_iss_parameter_supported: true,
        ...metadata,
      });
      server.serve('/jwks', { keys: [jwk] });
      server.pages.set('/token', (request, response) => void answer(request, response));
      server.pages.set('/userinfo', (_request, response) =>
        sendJson(response, 200, provider.userinfo ?? {}),
      );
    },
    authorize(url, claims) {
      const { searchParams: asked } = new URL(url);
      const of = (name: string) => asked.get(name) ?? '';
      const code = randomBytes(16).toString('hex');
      const redirectUri = of('redirect_uri');
      const pending = { nonce: of('nonce'), challenge: of('code_challenge'), redirectUri, claims };
      codes.set(code, pending);
      const query = new URLSearchParams({ code, state: of('state'), iss: issuer });
      return { code, state: of('state'), callback: `${redirectUri}?${query.toString()}` };
    },
    close: () => server.close(),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(await textOf(request));
    const code = form.get('code') ?? '';
    const pending = codes.get(code);
    codes.delete(code);
    const basic = Buffer.from(
      `${CLIENT_ID}:${encodeURIComponent(CLIENT_SECRET).replaceAll('%20', '+')}`,
    ).toString('base64');
    if (request.headers.authorization !== `Basic ${basic}`) {
      return sendJson(response, 401, { error: 'invalid_client' });
    }
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isRight =
      pending?.challenge === challenge && pending.redirectUri === form.get('redirect_uri');
    if (pending === undefined || !isRight)
      return sendJson(response, 400, { error: 'invalid_grant' });
    const now = Math.floor(Date.now() / 1000);
    const forged = await provider.forge({
      iss: issuer,
      aud: CLIENT_ID,
      iat: now,
      exp: now + 60,
      nonce: pending.nonce,
      ...pending.claims,
    });
    const idToken = typeof forged === 'string' ? forged : await sign(forged);
    const tokens = { access_token: 'opaque', token_type: 'Bearer', id_token: idToken };
    return sendJson(response, 200, tokens);
  }

  provider.reset();
  return provider;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** The entry of a provider, with the client that it knows. */
export const entryOf = ({ issuer }: Pick<FakeProvider, 'issuer'>, id: string, name: string) => ({
  id,
  name,
  issuer,
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
});

/** Writes a file of providers. @returns its path */
export function writeProviders(document: unknown): string {
  const file = path.join(
    mkdtempSync(path.join(tmpdir(), 'gatehouse-providers-')),
    'providers.json',
  );
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document));
  return file;
}
