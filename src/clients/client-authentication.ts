import type { Context } from 'koa';

import type { Keyring, Lookup, LookupQueries, LookupRow } from '../credentials/index.js';
import {
  FORMER_SIGNING_ALGORITHM,
  type SigningAlgorithm,
} from '../credentials/secrets/signing-algorithms.js';
import { originsOf, type Readers } from '../http/cors.js';
import {
  clientRefused,
  readClientAssertion,
  readClientCredentials,
  type ClientCredentials,
  type ClientRefusal,
} from '../http/client-credentials.js';
import type { Form } from '../http/body/form.js';
import { OAuthError } from '../http/errors/oauth-error.js';
import { serviceUnavailable } from '../http/errors/problem.js';
import { noteFacts } from '../http/request-facts.js';
import { ASSERTION_TYPE, type ClientAssertions } from './assertions/assertions.js';
import type { ClientSecrets } from './client-secrets.js';
import { isClientId } from './client-id.js';
import { DEVICE_GRANT, isSymmetric } from './registration/metadata-members.js';

const FACTS = `
  metadata->>'redirect_uris',
  concat_ws(' ', id, CASE WHEN blocked_at IS NULL THEN 'good' ELSE 'blocked' END,
    metadata->>'token_endpoint_auth_method',
    coalesce(metadata->>'id_token_signed_response_alg', '${FORMER_SIGNING_ALGORITHM}'),
    CASE WHEN metadata->'grant_types' ? 'refresh_token' THEN 'refreshes' END,
    CASE WHEN metadata->'grant_types' ? '${DEVICE_GRANT}' THEN 'devices' END,
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
  /** Whether it authenticated, by a secret or an assertion. A public client only sends its id. */
  readonly isConfidential: boolean;
  /** Whether it registered for the grant type `refresh_token`. */
  readonly mayRefresh: boolean;
  /** Whether it registered for the device grant (RFC 8628). */
  readonly mayUseDevices: boolean;
  /** Its `id_token_signed_response_alg`. */
  readonly idTokenAlgorithm: SigningAlgorithm;
  /** Origins that may read the response (CORS). */
  readonly readers: () => Readers;
}

/** Authenticates a client (RFC 6749 §2.3) at the endpoints that do not use oidc-provider. */
export interface ClientAuthentication {
  /**
   * Accepts `client_secret_basic`, `client_secret_post`, `private_key_jwt`, and the `client_id` alone for public clients.
   * @throws OAuthError 401 `invalid_client`, 400 `invalid_request` for two methods at once
   * @throws Problem `service_unavailable`
   */
  authenticate(ctx: Context, form: Form): Promise<AuthenticatedClient>;
}

interface Dependencies {
  readonly lookup: Lookup<'clients' | 'clients_by_id'>;
  readonly keyring: Keyring;
  readonly secrets: ClientSecrets;
  readonly assertions: ClientAssertions;
  /** Identifiers of this server at the endpoint of a request, for assertions. */
  readonly audiencesOf: (ctx: Context) => readonly string[];
  readonly clientAddress: (request: Context['req']) => string;
  /** Starts fetching the metadata document of a client whose copy is not fresh any more. */
  readonly refreshDocument: (clientId: string) => void;
}

/** A client that was found and not authenticated yet. */
interface FoundClient {
  readonly method: string;
  readonly client: AuthenticatedClient;
}

export function createClientAuthentication(dependencies: Dependencies): ClientAuthentication {
  const { lookup, keyring, secrets, assertions, refreshDocument } = dependencies;
  const { audiencesOf, clientAddress } = dependencies;

  const read = (row: LookupRow | undefined, id: string) => readClient(row, id, refreshDocument);

  async function findById(id: string): Promise<FoundClient | ClientRefusal> {
    return read(await lookup.find('clients_by_id', [id]), id);
  }

  async function findPublic(id: string): Promise<AuthenticatedClient | ClientRefusal> {
    const found = await findById(id);
    if (typeof found === 'string' || found.method === 'none') return clientOf(found);
    return isSymmetric(found.method) ? 'client_secret is missing' : 'client_assertion is missing';
  }

  async function findBySecret(
    id: string,
    secret: string,
  ): Promise<AuthenticatedClient | ClientRefusal> {
    const row = await lookup.find('clients', keyring.digests(secret));
    const found = read(row, id);
    if (row === undefined || found === 'unknown client') {
      // The reason is for the log.
      const known = await lookup.find('clients_by_id', [id]);
      return known === undefined ? 'unknown client' : 'wrong client_secret';
    }
    if (typeof found === 'string') return found;
    // A client may have changed to another method since it got the secret.
    if (!isSymmetric(found.method)) return 'registered for another method';
    return (await secrets.isSecretOf(id, row[0], secret)) ? found.client : 'wrong client_secret';
  }

  async function findByAssertion(
    id: string,
    assertion: string,
    request: Parameters<ClientAssertions['verify']>[2],
  ): Promise<AuthenticatedClient | ClientRefusal> {
    const found = await findById(id);
    if (typeof found === 'string') return found;
    if (found.method !== 'private_key_jwt') return 'registered for another method';
    return (await assertions.verify(assertion, id, request)) ?? found.client;
  }

  async function authenticateByAssertion(
    ctx: Context,
    { assertion, id }: { readonly assertion: string; readonly id: string | undefined },
  ): Promise<AuthenticatedClient> {
    const claimed = assertClaimed(assertions.claimedClient(assertion), id);
    return accept(ctx, claimed, 'form', () =>
      findByAssertion(claimed, assertion, {
        audiences: audiencesOf(ctx),
        address: clientAddress(ctx.req),
      }),
    );
  }

  return {
    async authenticate(ctx, form) {
      const asserted = readClientAssertion(ctx, form, ASSERTION_TYPE);
      if (asserted !== undefined) return authenticateByAssertion(ctx, asserted);
      const { id, secret, by } = readClientCredentials(ctx, form);
      if (id === undefined) throw clientRefused(by, WITHOUT_ID[by]);
      return accept(ctx, id, by, () =>
        secret === undefined ? findPublic(id) : findBySecret(id, secret),
      );
    },
  };
}

/** @throws OAuthError 401 `invalid_client` if an assertion names no client, or another one than the request */
function assertClaimed(claimed: string | undefined, id: string | undefined): string {
  if (claimed === undefined) throw clientRefused('form', 'assertion: malformed');
  if (id === undefined || id === claimed) return claimed;
  throw clientRefused('form', 'client_id is not that of the assertion');
}

/** @param refreshDocument called for a client whose metadata document is stale */
function readClient(
  row: LookupRow | undefined,
  id: string,
  refreshDocument: Dependencies['refreshDocument'],
): FoundClient | ClientRefusal {
  const [found, state, method = '', algorithm, ...flags] = row?.[2].split(' ') ?? [];
  if (row === undefined || found !== id) return 'unknown client';
  if (state !== 'good') return 'blocked client';
  if (flags.includes('stale')) refreshDocument(id);
  const isConfidential = method !== 'none';
  return {
    method,
    client: {
      id,
      isConfidential,
      mayRefresh: flags.includes('refreshes'),
      mayUseDevices: flags.includes('devices'),
      idTokenAlgorithm: algorithm as SigningAlgorithm,
      readers: () => (isConfidential ? originsOf(JSON.parse(row[1] ?? '[]') as string[]) : '*'),
    },
  };
}

/** @throws OAuthError 401 `invalid_client` @throws Problem `service_unavailable` */
async function accept(
  ctx: Context,
  id: string,
  by: ClientCredentials['by'],
  find: () => Promise<AuthenticatedClient | ClientRefusal>,
): Promise<AuthenticatedClient> {
  if (!isClientId(id)) throw clientRefused(by, 'unknown client');
  noteFacts(ctx, { clientId: id });
  let client;
  try {
    client = await find();
  } catch (error) {
    if (error instanceof OAuthError) throw error;
    throw serviceUnavailable(error);
  }
  if (typeof client === 'string') throw clientRefused(by, client);
  return client;
}

function clientOf(found: FoundClient | ClientRefusal): AuthenticatedClient | ClientRefusal {
  return typeof found === 'string' ? found : found.client;
}

const WITHOUT_ID = {
  header: 'unreadable Authorization header',
  form: 'client_id is missing',
  nothing: 'client_id is missing',
} as const satisfies Readonly<Record<ClientCredentials['by'], ClientRefusal>>;
