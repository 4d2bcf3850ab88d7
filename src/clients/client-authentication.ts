import type { Context } from 'koa';

import type { Keyring } from '../credentials/keyring.js';
import type { Lookup, LookupQueries } from '../credentials/lookup.js';
import { originsOf, type Readers } from '../http/cors.js';
import { singleValue, type Form } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import { serviceUnavailable } from '../http/problem.js';
import type { ClientSecrets } from './client-secrets.js';
import type { Client } from './client.entity.js';

/** Client secrets are looked up like every other credential: by digest, many at once. */
export const CLIENT_QUERIES: LookupQueries<'clients'> = {
  clients: (digests) => `
    SELECT secret_digest, metadata->>'redirect_uris',
      id || ' ' || CASE WHEN blocked_at IS NULL THEN 'good' ELSE 'blocked' END
    FROM clients WHERE secret_digest = ANY (${digests}::text[])`,
};

/** Who calls one of OAuth's own endpoints. */
export interface AuthenticatedClient {
  readonly id: string;
  /** Whether it proved to be itself: a public client only says its name. */
  readonly isConfidential: boolean;
  /** Origins that may read what it is answered (CORS). */
  readonly readers: () => Readers;
}

/** Authenticates a client (RFC 6749 §2.3), for the endpoints that the protocol's library does not answer. */
export interface ClientAuthentication {
  /**
   * By `client_secret_basic` or `client_secret_post`; a public client by its `client_id` alone.
   * @throws OAuthError 401 `invalid_client`, 400 `invalid_request` for two ways at once
   * @throws Problem `service_unavailable`
   */
  authenticate(ctx: Context, form: Form): Promise<AuthenticatedClient>;
}

export function createClientAuthentication({
  lookup,
  keyring,
  secrets,
  findClient,
}: {
  lookup: Lookup<'clients'>;
  keyring: Keyring;
  secrets: ClientSecrets;
  /** A client that may be used. */
  findClient: (id: string) => Promise<Client | undefined>;
}): ClientAuthentication {
  async function findBySecret(
    id: string,
    secret: string,
  ): Promise<AuthenticatedClient | undefined> {
    try {
      const row = await lookup.find('clients', keyring.digests(secret));
      if (row?.[2] !== `${id} good`) return undefined;
      if (!(await secrets.isSecretOf(id, row[0], secret))) return undefined;
      const readers = () => originsOf(JSON.parse(row[1] ?? '[]') as string[]);
      return { id, isConfidential: true, readers };
    } catch (error) {
      throw serviceUnavailable(error);
    }
  }

  async function findPublic(id: string): Promise<AuthenticatedClient | undefined> {
    const client = await findClient(id);
    if (client?.metadata.token_endpoint_auth_method !== 'none') return undefined;
    return { id, isConfidential: false, readers: () => '*' };
  }

  return {
    async authenticate(ctx, form) {
      const { id, secret, by } = presentedBy(ctx, form);
      const client =
        id === undefined
          ? undefined
          : await (secret === undefined ? findPublic(id) : findBySecret(id, secret));
      if (client !== undefined) return client;
      throw new OAuthError(401, 'invalid_client', 'client authentication failed', {
        // RFC 6749 §5.2: answered in the scheme that was tried.
        ...(by !== 'form' && { 'WWW-Authenticate': 'Basic realm="oauth", charset="UTF-8"' }),
      });
    },
  };
}

interface Presented {
  readonly id: string | undefined;
  readonly secret: string | undefined;
  readonly by: 'header' | 'form' | 'nothing';
}

function presentedBy(ctx: Context, form: Form): Presented {
  const id = singleValue(form, 'client_id');
  const secret = singleValue(form, 'client_secret');
  const header = ctx.get('Authorization');
  if (header === '') return { id, secret, by: id === undefined ? 'nothing' : 'form' };
  const basic = readBasic(header);
  if (secret !== undefined || (id !== undefined && basic !== undefined && id !== basic.id)) {
    throw new OAuthError(400, 'invalid_request', 'Authenticate the client in one way.');
  }
  return { id: basic?.id, secret: basic?.secret ?? '', by: 'header' };
}

/** Both parts are form-encoded before they are joined (RFC 6749 §2.3.1). */
function readBasic(header: string): { id: string; secret: string } | undefined {
  const [, encoded] = /^basic +([\w+/]+={0,2})$/i.exec(header) ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  try {
    const decode = (part: string) => decodeURIComponent(part.replaceAll('+', ' '));
    return { id: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}
