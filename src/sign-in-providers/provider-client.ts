import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  clockTolerance,
  Configuration,
  customFetch,
  type CustomFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  None,
  type ServerMetadata,
} from 'openid-client';

import { compileNetworks } from '../http/networks.js';
import type { Outbound } from '../outbound/index.js';
import type { Attempt } from './attempts.js';
import { claimAt } from './claims.js';
import type { ProviderEntry } from './providers-document.js';

/** Claims of a verified ID token, with those of userinfo where the token lacks them. */
export type Claims = Readonly<Record<string, unknown>> & {
  readonly iss: string;
  readonly sub: string;
};

/** The reason why a provider's answer is not accepted. `cancelled`: the user or the provider said no. */
export type ProviderFailure = 'down' | 'cancelled' | 'invalid';

export type ProviderAnswer =
  { readonly claims: Claims } | { readonly failure: ProviderFailure; readonly cause: string };

/** The requests to one OpenID provider. */
export interface ProviderClient {
  /**
   * The URL to which the browser is sent.
   * @returns `undefined` if the provider cannot be asked
   */
  authorizationUrl(attempt: Attempt, hint: string | undefined): Promise<URL | undefined>;
  /**
   * Exchanges the code of a callback, and verifies everything about the answer.
   * @param query of the callback
   */
  exchange(attempt: Attempt, query: URLSearchParams, now: number): Promise<ProviderAnswer>;
}

const MAX_BYTES = 256 * 1024;
const MEDIA_TYPES = ['application/json', 'application/jwk-set+json', 'application/jwt'];
/** Keys and endpoints change rarely. */
const DISCOVERED_MS = 3_600_000;
/** The difference of clocks that is tolerated. */
const CLOCK_SECONDS = 30;
/** Algorithms of ID tokens. `none` and shared secrets are never accepted. */
const ALGORITHMS = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;
const MAX_PARAMETER = 4096;

interface Dependencies {
  readonly entry: ProviderEntry;
  readonly outbound: Outbound;
  readonly redirectUri: string;
}

export function createProviderClient({
  entry,
  outbound,
  redirectUri,
}: Dependencies): ProviderClient {
  const configuration = createDiscovery(entry, createFetch(entry, outbound));
  return {
    async authorizationUrl(attempt, hint) {
      const config = await configuration().catch(() => undefined);
      if (config === undefined) return undefined;
      return buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        response_type: 'code',
        scope: [...new Set(['openid', ...entry.scopes])].join(' '),
        state: attempt.state,
        nonce: attempt.nonce,
        code_challenge: await calculatePKCECodeChallenge(attempt.verifier),
        code_challenge_method: 'S256',
        ...(hint !== undefined && { login_hint: hint }),
        ...(attempt.isFresh && { prompt: 'login', max_age: '0' }),
      });
    },
    async exchange(attempt, query, now) {
      const config = await configuration().catch(() => undefined);
      if (config === undefined) return { failure: 'down', cause: 'discovery' };
      const fault = faultOfQuery(query);
      if (fault !== undefined) return { failure: 'invalid', cause: fault };
      try {
        const callback = new URL(`${redirectUri}?${query.toString()}`);
        const tokens = await authorizationCodeGrant(config, callback, {
          pkceCodeVerifier: attempt.verifier,
          expectedState: attempt.state,
          expectedNonce: attempt.nonce,
          idTokenExpected: true,
          // The user has authenticated after the attempt began.
          ...(attempt.isFresh && { maxAge: Math.max(0, Math.ceil(now - attempt.startedAt)) }),
        });
        const claims = tokens.claims();
        if (claims === undefined) return { failure: 'invalid', cause: 'no id token' };
        return { claims: await complete(config, entry, { ...claims }, tokens.access_token) };
      } catch (error) {
        return failureOf(error);
      }
    },
  };
}

/** Repeated and long parameters are refused before they are read. */
function faultOfQuery(query: URLSearchParams): string | undefined {
  const names = [...query.keys()];
  if (new Set(names).size < names.length) return 'repeated parameter';
  return [...query.values()].some((value) => value.length > MAX_PARAMETER)
    ? 'long parameter'
    : undefined;
}

/** Adds claims of userinfo, which verifies that they are of the same subject (OIDC Core §5.3.2). */
async function complete(
  config: Configuration,
  { roleClaim }: ProviderEntry,
  claims: Claims,
  accessToken: string,
): Promise<Claims> {
  const lacks =
    claims['email'] === undefined ||
    (roleClaim !== undefined && claimAt(claims, roleClaim) === undefined);
  if (!lacks || config.serverMetadata().userinfo_endpoint === undefined) return claims;
  const more = await fetchUserInfo(config, accessToken, claims.sub);
  return { ...more, ...claims };
}

/** @returns a function that reads the provider's metadata when they are first needed, and again after an hour */
function createDiscovery(entry: ProviderEntry, fetcher: CustomFetch): () => Promise<Configuration> {
  let known: { readonly config: Promise<Configuration>; readonly until: number } | undefined;
  return () => {
    const now = performance.now();
    if (known !== undefined && now < known.until) return known.config;
    const config = discover(entry, fetcher);
    const current = { config, until: now + DISCOVERED_MS };
    known = current;
    config.catch(() => {
      if (known === current) known = undefined;
    });
    return config;
  };
}

async function discover(entry: ProviderEntry, fetcher: CustomFetch): Promise<Configuration> {
  const allowsHttp = entry.issuer.startsWith('http:') ? [allowInsecureRequests] : [];
  const authentication = clientAuthentication(entry);
  const discovered = await discovery(new URL(entry.issuer), entry.clientId, {}, authentication, {
    [customFetch]: fetcher,
    execute: allowsHttp,
  });
  const metadata: ServerMetadata = { ...discovered.serverMetadata() };
  // The library compares them after parsing, which ignores a trailing slash.
  if (metadata.issuer !== entry.issuer) throw new Error('the issuer differs from the entry');
  const algorithms = metadata.id_token_signing_alg_values_supported;
  const allowed = algorithms?.filter((algorithm) => ALGORITHMS.test(algorithm));
  const config = new Configuration(
    {
      ...metadata,
      ...(allowed !== undefined && { id_token_signing_alg_values_supported: allowed }),
    },
    entry.clientId,
    { [clockTolerance]: CLOCK_SECONDS },
    authentication,
  );
  config[customFetch] = fetcher;
  // Signatures are verified although the token comes over TLS.
  for (const apply of [enableNonRepudiationChecks, ...allowsHttp]) apply(config);
  return config;
}

function clientAuthentication({ clientAuthentication: method, clientSecret }: ProviderEntry) {
  if (method === 'none') return None();
  return method === 'client_secret_post'
    ? ClientSecretPost(clientSecret)
    : ClientSecretBasic(clientSecret);
}

/** A failure of the request itself, and not of its answer. */
class Unreachable extends Error {}

/** `fetch` through the outbound guard. */
function createFetch({ networks }: ProviderEntry, outbound: Outbound): CustomFetch {
  const isAddressAllowed = networks.length === 0 ? undefined : compileNetworks(networks);
  return async (url, { method, headers, body }) => {
    const isPost = method === 'POST';
    if (!isPost && method !== 'GET') throw new Unreachable('method');
    const answer = await outbound.fetch({
      url,
      purpose: 'sign_in',
      mediaTypes: MEDIA_TYPES,
      maxBytes: MAX_BYTES,
      headers,
      // The library sends forms only.
      body: isPost && body instanceof URLSearchParams ? body.toString() : undefined,
      returnsErrors: true,
      isAddressAllowed,
    });
    if (answer.outcome === 'failed') throw new Unreachable(answer.reason);
    const type = answer.headers['content-type'] ?? '';
    const challenge = answer.headers['www-authenticate'];
    return new Response(new Uint8Array(answer.body), {
      status: answer.status,
      headers: {
        'Content-Type': type,
        ...(challenge !== undefined && { 'WWW-Authenticate': challenge }),
      },
    });
  };
}

/** Describes an error without its values: they may hold codes and tokens. */
function failureOf(error: unknown): { failure: ProviderFailure; cause: string } {
  const chain = causesOf(error);
  const unreachable = chain.find((link) => link instanceof Unreachable);
  if (unreachable !== undefined) return { failure: 'down', cause: unreachable.message };
  if (chain.some((link) => link instanceof AuthorizationResponseError)) {
    const isTheirs = chain.some(
      (link) => link instanceof AuthorizationResponseError && OUTAGES.includes(link.error),
    );
    return { failure: isTheirs ? 'down' : 'cancelled', cause: 'error response' };
  }
  const [cause = 'unexpected answer'] = chain.flatMap(codesOf);
  return { failure: 'invalid', cause };
}

/** The error of a token response (RFC 6749 §5.2), or the code that the library gives. */
function codesOf(link: unknown): readonly string[] {
  if (!(link instanceof Error)) return [];
  const { error, code } = link as { readonly error?: unknown; readonly code?: unknown };
  return [error, code].filter(
    (value): value is string => typeof value === 'string' && /^\w{1,60}$/.test(value),
  );
}

/** RFC 6749 §4.1.2.1 */
const OUTAGES = ['server_error', 'temporarily_unavailable'];
const MAX_CAUSES = 5;

function causesOf(error: unknown): readonly unknown[] {
  const chain: unknown[] = [];
  let link = error;
  while (link instanceof Error && chain.length < MAX_CAUSES) {
    chain.push(link);
    link = link.cause;
  }
  return chain;
}
