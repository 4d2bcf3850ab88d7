/**
 * The only access to internals of oidc-provider, for behaviour that it has no option for. Its version is pinned. Each
 * function states why it is needed, and has a test that fails without it.
 */
import type { Context } from 'koa';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import contextStorage from 'oidc-provider/lib/helpers/als.js';
import readInternals from 'oidc-provider/lib/helpers/weak_cache.js';

import type { SecretFormat } from '../../credentials/index.js';
import { redirectLocation } from '../authorize/redirect-location.js';

/** The parameters of an authorization response (RFC 6749 §4.1.2): a code, or an error. */
export type AuthorizationResponse = Readonly<Record<string, string>>;

/** Sends the parameters of an authorization response to the client. */
type Respond = (ctx: Context, redirectUri: string, parameters: AuthorizationResponse) => void;

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

/** The account of a session, and when it signed in. */
interface Login {
  readonly accountId?: string;
  readonly loginTs?: number;
}

type LoggedIn = Login & { issueSeq?: string };

interface SessionModel {
  IN_PAYLOAD: readonly string[];
  prototype: { loginAccount(details: Login): void };
}

/** Mints tokens and codes in Gatehouse's format: scanners recognize it, and a mistyped token costs no query. */
export function mintInOurFormat(provider: Provider, format: SecretFormat): void {
  const prefixes = { AccessToken: 'at', RefreshToken: 'rt', AuthorizationCode: 'ac' } as const;
  for (const [model, prefix] of Object.entries(prefixes)) {
    const { prototype } = provider[model as keyof typeof prefixes] as unknown as TokenModel;
    const original = Object.getOwnPropertyDescriptor(prototype, 'generateTokenId')?.value as
      (() => string) | undefined;
    prototype.generateTokenId = function mint() {
      // It also sets the token's format, which later steps read.
      original?.call(this);
      return format.mint(prefix);
    };
  }
}

/** Replaces oidc-provider's redirect URI checks, and compares client secrets by their digests. */
export function replaceClientChecks(
  provider: Provider,
  rules: {
    /** Whether a presented redirect is one of the registered ones. */
    readonly isRegisteredRedirect: (registered: readonly string[], presented: string) => boolean;
    /** Whether a digest is that of the presented secret. */
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
 * Removes the other response modes. They use a script or a fragment, which a strict Content-Security-Policy forbids. For
 * an unsupported response type oidc-provider would choose one of them and fail, instead of refusing the type.
 */
export function answerInTheQueryOnly(provider: Provider): void {
  const { responseModes } = readInternals(provider);
  for (const mode of responseModes.keys()) if (mode !== 'query') responseModes.delete(mode);
  responseModes.get = () => respondInQuery;
  Object.defineProperty(contextOf(provider), 'responseMode', {
    get(this: { params: { response_mode?: string; response_type?: string } }) {
      const { response_mode: mode, response_type: type = '' } = this.params;
      return mode ?? (type.includes('token') ? undefined : 'query');
    },
  });
}

/** oidc-provider and Koa would both normalize the URI, which must stay as registered. */
const respondInQuery: Respond = (ctx, redirectUri, parameters) => {
  (ctx.state as { authorizationResponse?: AuthorizationResponse }).authorizationResponse =
    parameters;
  ctx.status = 303;
  ctx.set('Location', redirectLocation(redirectUri, parameters));
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = 'Redirecting to the app.';
};

/** The authorization response that was sent to the client, if any. */
export function authorizationResponseOf(ctx: Context): AuthorizationResponse | undefined {
  return (ctx.state as { authorizationResponse?: AuthorizationResponse }).authorizationResponse;
}

/** Builds URLs from the issuer and never from a request's `Host` or target. */
export function writeUrlsOfTheIssuer(provider: Provider): void {
  contextOf(provider).urlFor = (name, options) => provider.urlFor(name, options);
}

/** The prototype of oidc-provider's request contexts. */
function contextOf(provider: Provider): { urlFor: Provider['urlFor'] } {
  return (provider as unknown as { OIDCContext: { prototype: { urlFor: Provider['urlFor'] } } })
    .OIDCContext.prototype;
}

/**
 * Keeps a session's `issueSeq` from the login on. Without it, saving a session again would place it after the revocation
 * that ended it.
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

/** Runs oidc-provider code on behalf of a request that it does not answer, so that the adapter sees that request. */
export function onBehalfOf<Result>(ctx: Context, work: () => Promise<Result>): Promise<Result> {
  return contextStorage.run(ctx, work);
}

/**
 * Hands over a body that was read already. oidc-provider reads bodies itself, and prints a warning about a consumed
 * stream. The caller restores `ctx.req` afterwards.
 */
export function giveBody(ctx: Context, body: Buffer): void {
  ctx.req = Object.create(ctx.req, {
    readable: { value: true },
    iterator: { value: () => [body].values() },
  }) as Context['req'];
}

/**
 * Replaces the cookies by which oidc-provider finds the request to resume: any host under the same domain could set them.
 * The path names the request, and `interaction-store.ts` binds it to the browser.
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

/** oidc-provider's context of a request, once it has seen the request. */
export function oidcOf(ctx: Context): KoaContextWithOIDC['oidc'] | undefined {
  return (ctx as unknown as Partial<KoaContextWithOIDC>).oidc;
}
