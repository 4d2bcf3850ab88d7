import type { Context } from 'koa';

import type { Keyring, Lookup, LookupQueries } from '../credentials/index.js';
import {
  FORMER_SIGNING_ALGORITHM,
  type SigningAlgorithm,
} from '../credentials/secrets/signing-algorithms.js';
import { originsOf, type Readers } from '../http/cors.js';
import {
  clientRefused,
  readClientCredentials,
  type ClientCredentials,
  type ClientRefusal,
} from '../http/client-credentials.js';
import type { Form } from '../http/body/form.js';
import { serviceUnavailable } from '../http/errors/problem.js';
import { noteFacts } from '../http/request-facts.js';
import type { ClientSecrets } from './client-secrets.js';
import { isClientId } from './client-id.js';

const FACTS = `
  metadata->>'redirect_uris',
  concat_ws(' ', id, CASE WHEN blocked_at IS NULL THEN 'good' ELSE 'blocked' END,
    metadata->>'token_endpoint_auth_method',
    coalesce(metadata->>'id_token_signed_response_alg', '${FORMER_SIGNING_ALGORITHM}'),
    CASE WHEN metadata->'grant_types' ? 'refresh_token' THEN 'refreshes' END,
    CASE WHEN document_fresh_until <= gatehouse_now() THEN 'stale' END)`;

/**
 * Batched lookups of clients: by digest of the secret, or by id for public clients. Neither needs quoting in an array
 * literal.
 */
export const CLIENT_QUERIES: LookupQueries<'clients' | 'clients_by_id'> = {
  clients: (digests) => `
    SELECT secret_digest, ${FACTS} FROM clients WHERE secret_digest = ANY (${digests}::text[])`,
  clients_by_id: (ids) => `SELECT id, ${FACTS} FROM clients WHERE id = ANY (${ids}::text[])`,
};

/** The client that calls one of OAuth's endpoints. */
export interface AuthenticatedClient {
  readonly id: string;
  /** Whether it authenticated with a secret. A public client only sends its id. */
  readonly isConfidential: boolean;
  /** Whether it registered for the grant type `refresh_token`. */
  readonly mayRefresh: boolean;
  /** Its `id_token_signed_response_alg`. */
  readonly idTokenAlgorithm: SigningAlgorithm;
  /** Origins that may read the response (CORS). */
  readonly readers: () => Readers;
}

/** Authenticates a client (RFC 6749 §2.3) at the endpoints that do not use oidc-provider. */
export interface ClientAuthentication {
  /**
   * Accepts `client_secret_basic`, `client_secret_post`, and the `client_id` alone for public clients.
   * @throws OAuthError 401 `invalid_client`, 400 `invalid_request` for two methods at once
   * @throws Problem `service_unavailable`
   */
  authenticate(ctx: Context, form: Form): Promise<AuthenticatedClient>;
}

export function createClientAuthentication({
  lookup,
  keyring,
  secrets,
  refreshDocument,
}: {
  lookup: Lookup<'clients' | 'clients_by_id'>;
  keyring: Keyring;
  secrets: ClientSecrets;
  /** Starts fetching the metadata document of a client whose copy is not fresh any more. */
  refreshDocument: (clientId: string) => void;
}): ClientAuthentication {
  async function find(
    id: string,
    secret: string | undefined,
  ): Promise<AuthenticatedClient | ClientRefusal> {
    if (!isClientId(id)) return 'unknown client';
    const isConfidential = secret !== undefined;
    try {
      const row = isConfidential
        ? await lookup.find('clients', keyring.digests(secret))
        : await lookup.find('clients_by_id', [id]);
      const [found, state, method, algorithm, ...flags] = row?.[2].split(' ') ?? [];
      if (row === undefined || found !== id) {
        return isConfidential ? await reasonFor(id) : 'unknown client';
      }
      if (state !== 'good') return 'blocked client';
      if (flags.includes('stale')) refreshDocument(id);
      // A confidential client must present its secret.
      if (!isConfidential && method !== 'none') return 'client_secret is missing';
      if (isConfidential && method === 'none') return 'wrong client_secret';
      if (isConfidential && !(await secrets.isSecretOf(id, row[0], secret))) {
        return 'wrong client_secret';
      }
      return {
        id,
        isConfidential,
        mayRefresh: flags.includes('refreshes'),
        idTokenAlgorithm: algorithm as SigningAlgorithm,
        readers: () => (isConfidential ? originsOf(JSON.parse(row[1] ?? '[]') as string[]) : '*'),
      };
    } catch (error) {
      throw serviceUnavailable(error);
    }
  }

  /** The reason why a lookup by id and secret found nothing, for the log. */
  async function reasonFor(id: string): Promise<ClientRefusal> {
    const row = await lookup.find('clients_by_id', [id]);
    return row === undefined ? 'unknown client' : 'wrong client_secret';
  }

  return {
    async authenticate(ctx, form) {
      const { id, secret, by } = readClientCredentials(ctx, form);
      if (id !== undefined && isClientId(id)) noteFacts(ctx, { clientId: id });
      const client = id === undefined ? WITHOUT_ID[by] : await find(id, secret);
      if (typeof client !== 'string') return client;
      throw clientRefused(by, client);
    },
  };
}

const WITHOUT_ID = {
  header: 'unreadable Authorization header',
  form: 'client_id is missing',
  nothing: 'client_id is missing',
} as const satisfies Readonly<Record<ClientCredentials['by'], ClientRefusal>>;
