/**
 * The one gate to what oidc-provider has no option for. Its version is pinned; each change here says what
 * would go wrong without it, and has a test that fails then.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';

import type { Context } from 'koa';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
// @ts-expect-error the library has no types for its inner modules
import contextStorage from 'oidc-provider/lib/helpers/als.js';
// @ts-expect-error the library has no types for its inner modules
import readInternals from 'oidc-provider/lib/helpers/weak_cache.js';

import type { SecretFormat } from '../credentials/secret-format.js';
import { redirectLocation } from './redirect-location.js';

interface Internals {
  readonly responseModes: Map<string, Respond>;
}

/** Sends the parameters of an authorization response to the client. */
type Respond = (ctx: Context, redirectUri: string, parameters: AuthorizationResponse) => void;

/** What an authorization response says (RFC 6749 §4.1.2): a code, or an error. */
export type AuthorizationResponse = Readonly<Record<string, string>>;

interface TokenModel {
  prototype: { generateTokenId(this: { format?: string }): string };
}

interface ClientModel {
  prototype: {
    clientId: string;
    redirectUris: string[];
    clientSecret?: string;
    redirectUriAllowed(presented: string): boolean;
    compareClientSecret(presented: string): boolean | Promise<boolean>;
  };
  Schema: { prototype: { redirectUris(): void } };
}

/** Who has signed in to a session, and when. */
interface Login {
  readonly accountId?: string;
  readonly loginTs?: number;
}

type LoggedIn = Login & { issueSeq?: string };

interface SessionModel {
  IN_PAYLOAD: readonly string[];
  prototype: { loginAccount(details: Login): void };
}

/** Tokens and codes are written in our format, so that scanners know them and a typing error costs no query. */
export function mintInOurFormat(provider: Provider, format: SecretFormat): void {
  const prefixes = { AccessToken: 'at', RefreshToken: 'rt', AuthorizationCode: 'ac' } as const;
  for (const [model, prefix] of Object.entries(prefixes)) {
    const { prototype } = provider[model as keyof typeof prefixes] as unknown as TokenModel;
    const original = Object.getOwnPropertyDescriptor(prototype, 'generateTokenId')?.value as
      (() => string) | undefined;
    prototype.generateTokenId = function mint() {
      // It also settles the token's format, which later steps look at.
      original?.call(this);
      return format.mint(prefix);
    };
  }
}

/** Redirects are judged by our rules at registration, and by these at authorization; secrets by their digests. */
export function judgeClientsByOurRules(
  provider: Provider,
  rules: {
    /** Whether a presented redirect is one of the registered ones. */
    readonly isRegisteredRedirect: (registered: readonly string[], presented: string) => boolean;
    /** Whether a secret is the one that a digest was made of. */
    readonly isSecretOf: (clientId: string, digest: string, presented: string) => Promise<boolean>;
  },
): void {
  const { prototype, Schema } = provider.Client as unknown as ClientModel;
  Schema.prototype.redirectUris = () => undefined;
  prototype.redirectUriAllowed = function isAllowed(presented) {
    return (
      typeof presented === 'string' && rules.isRegisteredRedirect(this.redirectUris, presented)
    );
  };
  prototype.compareClientSecret = function isSecret(presented) {
    const { clientId, clientSecret: digest } = this;
    return digest !== undefined && rules.isSecretOf(clientId, digest, presented);
  };
}

/**
 * Its other modes put the answer into a script or a fragment, which pages with a strict policy cannot send. It would
 * derive one of them from response types that don't exist here, and fail for the lack of it instead of refusing the type.
 */
export function answerInTheQueryOnly(provider: Provider): void {
  const { responseModes } = (readInternals as (provider: Provider) => Internals)(provider);
  for (const mode of responseModes.keys()) if (mode !== 'query') responseModes.delete(mode);
  responseModes.get = () => respondInQuery;
  Object.defineProperty(contextOf(provider), 'responseMode', {
    get(this: { params: { response_mode?: string; response_type?: string } }) {
      const { response_mode: mode, response_type: type = '' } = this.params;
      return mode ?? (type.includes('token') ? undefined : 'query');
    },
  });
}

/** The library and Koa would both rewrite the URI, which has to stay as the client registered it. */
const respondInQuery: Respond = (ctx, redirectUri, parameters) => {
  (ctx.state as { authorizationResponse?: AuthorizationResponse }).authorizationResponse =
    parameters;
  ctx.status = 303;
  ctx.set('Location', redirectLocation(redirectUri, parameters));
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = 'Redirecting to the app.';
};

/** The authorization response that a request was answered with, if it was sent to the client. */
export function authorizationResponseOf(ctx: Context): AuthorizationResponse | undefined {
  return (ctx.state as { authorizationResponse?: AuthorizationResponse }).authorizationResponse;
}

/** Addresses are the issuer's, whatever a request's `Host` or target says. */
export function writeUrlsOfTheIssuer(provider: Provider): void {
  contextOf(provider).urlFor = (name, options) => provider.urlFor(name, options);
}

/** What all of its requests' contexts inherit from. */
function contextOf(provider: Provider): { urlFor: Provider['urlFor'] } {
  return (provider as unknown as { OIDCContext: { prototype: { urlFor: Provider['urlFor'] } } })
    .OIDCContext.prototype;
}

/**
 * Keeps a session's place in the order of issues with it, from the login on: saving it anew must not
 * make it younger than the revocation that ended it.
 */
export function keepIssueOrderOfSessions(provider: Provider): void {
  const model = provider.Session as unknown as SessionModel;
  const known = [...model.IN_PAYLOAD, 'issueSeq'];
  Object.defineProperty(model, 'IN_PAYLOAD', { get: () => known });
  const { prototype } = model;
  const original = Object.getOwnPropertyDescriptor(prototype, 'loginAccount')?.value as (
    details: Login,
  ) => void;
  prototype.loginAccount = function login(this: LoggedIn, details) {
    // The library repeats the login's result when the consent that follows it resumes.
    const isRepeated =
      this.accountId === details.accountId &&
      details.loginTs !== undefined &&
      this.loginTs === details.loginTs;
    if (isRepeated) return;
    delete this.issueSeq;
    original.call(this, details);
  };
}

/** Does something with the library for a request that it does not answer itself: what it stores is stored for that request. */
export function onBehalfOf<Result>(ctx: Context, work: () => Promise<Result>): Promise<Result> {
  return (contextStorage as AsyncLocalStorage<Context>).run(ctx, work);
}

/**
 * The library reads bodies itself, and grumbles on standard output about one that somebody has read
 * before. Until `ctx.req` is put back, it finds this one as if nobody had.
 */
export function giveBody(ctx: Context, body: Buffer): void {
  ctx.req = Object.create(ctx.req, {
    readable: { value: true },
    iterator: { value: () => [body].values() },
  }) as Context['req'];
}

/**
 * The library finds the request to resume by cookies, which any host under the same domain could set. Here the path alone
 * names it, and `interaction-store.ts` binds it to the browser: those cookies are neither set nor read.
 *
 * @param uid the interaction that the path names; `undefined` where none is resumed
 */
export function handleByPath(
  ctx: Context,
  { interaction, resume }: { readonly interaction: string; readonly resume: string },
  uid: string | undefined,
): void {
  const { cookies } = ctx;
  const isHandle = (name: string) => name === interaction || name === resume;
  ctx.cookies = Object.assign(Object.create(cookies) as Context['cookies'], {
    get: (name: string, options?: Parameters<Context['cookies']['get']>[1]) =>
      isHandle(name) ? uid : cookies.get(name, options),
    set(
      this: Context['cookies'],
      name: string,
      value?: string | null,
      options?: Parameters<Context['cookies']['set']>[2],
    ) {
      if (!isHandle(name)) cookies.set(name, value, options);
      return this;
    },
  });
}

/** What the library keeps with a request that it has seen. */
export function oidcOf(ctx: Context): KoaContextWithOIDC['oidc'] | undefined {
  return (ctx as unknown as Partial<KoaContextWithOIDC>).oidc;
}
