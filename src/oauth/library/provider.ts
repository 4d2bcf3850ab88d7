import type { Context } from 'koa';
import Provider, { errors, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import type { JWK } from 'jose';

import type { ClientSecrets } from '../../clients/index.js';
import { type Keyring, type SecretFormat, SESSION_LIFETIMES } from '../../credentials/index.js';
import {
  FORMER_SIGNING_ALGORITHM,
  SIGNING_ALGORITHMS,
} from '../../credentials/secrets/signing-algorithms.js';
import { noteRefusal } from '../../http/errors/oauth-error.js';
import { createAdapterFactory, EXTRA_CLIENT_METADATA } from './adapter.js';
import type { Authorization } from '../authorize/authorization.js';
import { claimsOf } from './claims.js';
import type { Exchange } from '../token/code-grant.js';
import { LIFETIMES } from '../lifetimes.js';
import {
  answerInTheQueryOnly,
  replaceClientChecks,
  keepIssueOrderOfSessions,
  mintInOurFormat,
  writeUrlsOfTheIssuer,
} from './library-internals.js';
import { OAUTH_PATHS, pageOf } from '../paths.js';
import { OIDC_SCOPES } from '../requested-scopes.js';

export interface ProviderDependencies {
  readonly issuer: string;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly secrets: ClientSecrets;
  readonly adapter: Parameters<typeof createAdapterFactory>[0];
  readonly authorization: Authorization;
  readonly isRegisteredRedirect: (registered: readonly string[], presented: string) => boolean;
  /** Renders an error that cannot be sent to the client. */
  readonly renderError: (ctx: Context, error: Error) => void;
}

/**
 * Configures oidc-provider. It serves the authorization endpoint and the token endpoint only. All other endpoints are
 * routes of this project.
 *
 * @param signing private keys; the first of each algorithm signs
 */
export function createProvider(
  dependencies: ProviderDependencies,
  signing: readonly JWK[],
): Provider {
  const { issuer, format, secrets, isRegisteredRedirect } = dependencies;
  const provider = new Provider(issuer, configurationOf(dependencies, signing));
  mintInOurFormat(provider, format);
  replaceClientChecks(provider, {
    isRegisteredRedirect,
    isSecretOf: (...secret) => secrets.isSecretOf(...secret),
  });
  answerInTheQueryOnly(provider);
  writeUrlsOfTheIssuer(provider);
  keepIssueOrderOfSessions(provider);
  provider.on('authorization.error', (ctx, error) => {
    (ctx.state as { authorizationError?: Error }).authorizationError = error;
  });
  provider.on('server_error', (ctx, error) => {
    (ctx.state as { failure?: unknown }).failure = error;
  });
  provider.on('authorization.error', noteLibraryRefusal);
  provider.on('grant.error', noteLibraryRefusal);
  return provider;
}

const TTL: Configuration['ttl'] = {
  AccessToken: LIFETIMES.accessToken,
  AuthorizationCode: LIFETIMES.authorizationCode,
  IdToken: LIFETIMES.idToken,
  Interaction: LIFETIMES.interaction,
  RefreshToken: LIFETIMES.refreshToken,
  // Used for the cookie only: the database limits the stored session by its own clock.
  Session: (_ctx, { loginTs }) => sessionSecondsFrom(loginTs),
};

function configurationOf(
  { issuer, keyring, adapter, authorization, renderError }: ProviderDependencies,
  signing: readonly JWK[],
): Configuration {
  return {
    adapter: createAdapterFactory(adapter),
    jwks: { keys: [...signing] },
    cookies: { ...cookiesOf(issuer), keys: createCookieSigner(keyring) as unknown as string[] },
    routes: { authorization: OAUTH_PATHS.authorize, token: OAUTH_PATHS.token },
    // The scopes of a grant's OIDC part: see `requested-scopes.ts`.
    scopes: [...OIDC_SCOPES],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    // Claims requested by scope are in the id_token, not only in userinfo.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      id_token_signed_response_alg: FORMER_SIGNING_ALGORITHM,
    },
    enabledJWA: { idTokenSigningAlgValues: [...SIGNING_ALGORITHMS] },
    extraClientMetadata: { properties: EXTRA_CLIENT_METADATA },
    extraParams: { scope: (ctx) => authorization.settle(ctx) },
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    clockTolerance: 0,
    // Without it oidc-provider refuses requests with an `Origin`. `http/cors` decides who may read the response.
    clientBasedCORS: () => true,
    expiresWithSession: async () => false,
    issueRefreshToken: async (ctx, client) =>
      client.grantTypeAllowed('refresh_token') &&
      exchangeOf(ctx)?.row?.scopes.includes('offline_access') === true,
    findAccount: async (ctx, id) => {
      const exchange = exchangeOf(ctx);
      return exchange === undefined ? authorization.findAccount(id) : accountOf(exchange);
    },
    loadExistingGrant: (ctx) => authorization.loadGrant(ctx),
    interactions: {
      policy: authorization.policy,
      url: (_ctx, { prompt, uid }) => pageOf(prompt.name, uid),
    },
    renderError: (ctx, _out, error) => renderError(ctx as unknown as Context, error),
    // No URL from client metadata may be fetched.
    fetch: () => Promise.reject(new Error('outbound requests are disabled')),
    ttl: TTL,
    features: featuresOf(authorization),
  };
}

function featuresOf(authorization: Authorization): Configuration['features'] {
  const off = { enabled: false } as const;
  return {
    devInteractions: off,
    rpInitiatedLogout: off,
    userinfo: off,
    // For the parameter `dpop_jkt` only. Proofs are checked by `oauth/token/token-proof`.
    dPoP: { enabled: true, allowReplay: true },
    pushedAuthorizationRequests: off,
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, _client, oneOf) =>
        authorization.chooseResource(oneOf, exchangeOf(ctx)?.row?.resources),
      useGrantedResource: () => true,
      getResourceServerInfo: async (_ctx, resource, client) => {
        const { audience, scopes } = await authorization.resolveResource(resource, client.clientId);
        return {
          audience,
          scope: scopes.join(' '),
          accessTokenFormat: 'opaque',
          accessTokenTTL: LIFETIMES.accessToken,
        };
      },
    },
  };
}

/** The idle lifetime of a session, cut to the end of its absolute lifetime. */
function sessionSecondsFrom(loginTs: number | undefined): number {
  if (loginTs === undefined) return SESSION_LIFETIMES.idleSeconds;
  const left = loginTs + SESSION_LIFETIMES.absoluteSeconds - Math.floor(Date.now() / 1000);
  return Math.max(1, Math.min(SESSION_LIFETIMES.idleSeconds, left));
}

/** Names and options of oidc-provider's cookies. */
export function cookiesOf(issuer: string) {
  // The prefix makes browsers refuse it from sibling domains and over http (RFC 6265bis §4.1.3).
  const prefix = issuer.startsWith('https://') ? '__Host-' : '';
  const options = { httpOnly: true, overwrite: true, sameSite: 'lax', signed: true } as const;
  return {
    names: {
      session: `${prefix}gatehouse_session`,
      /** Marks a browser that has signed in before. oidc-provider does not use it. */
      device: `${prefix}gatehouse_device`,
      // Neither set nor read: see `handleByPath`.
      interaction: 'gatehouse_interaction',
      resume: 'gatehouse_resume',
    },
    long: { ...options, path: '/' },
    short: options,
  };
}

/** Signs cookies under `SECRET_KEYS`, as a Keygrip for Koa. */
export function createCookieSigner(keyring: Keyring) {
  return {
    sign: (text: string) => keyring.sign(`cookie ${text}`),
    verify: (text: string, mac: string) => keyring.isSigned(`cookie ${text}`, mac),
    index: (text: string, mac: string) => (keyring.isSigned(`cookie ${text}`, mac) ? 0 : -1),
  };
}

/** Logs the detail of an error, which oidc-provider leaves out of its response. */
function noteLibraryRefusal(ctx: KoaContextWithOIDC, error: errors.OIDCProviderError): void {
  const { error: code, error_detail: detail, error_description: description } = error;
  noteRefusal(ctx, code, detail ?? description ?? code);
}

function exchangeOf(ctx: KoaContextWithOIDC): Exchange | undefined {
  return (ctx.state as { exchange?: Exchange }).exchange;
}

/** @throws TemporarilyUnavailable while the tenant is suspended; nothing is consumed */
function accountOf({ row }: Exchange) {
  if (row === undefined || row.role === null || row.is_dead) return undefined;
  if (row.is_suspended) {
    throw Object.assign(new errors.TemporarilyUnavailable('The organization is suspended.'), {
      status: 503,
      statusCode: 503,
    });
  }
  const { account_id: accountId, email, account_name: name } = row;
  const account = { id: accountId, email, name, isEmailVerified: row.is_email_verified };
  return { accountId, claims: async () => claimsOf(account) };
}
