import type { Middleware } from 'koa';

import type { GuardedState } from '../credentials/guard.js';
import type { Presentations } from '../credentials/presentation.js';
import type { Principal } from '../credentials/principal.js';
import type { Verdict, Verifier } from '../credentials/verifier.js';
import type { ClientAuthentication } from '../clients/client-authentication.js';
import type { RefreshTokens } from '../grants/refresh-tokens.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { readForm, singleValue, type Form } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import type { Route } from '../http/routes.js';

interface Dependencies {
  readonly issuer: string;
  readonly path: string;
  readonly verifier: Verifier;
  readonly refreshTokens: RefreshTokens;
  readonly clients: ClientAuthentication;
  readonly presentations: Presentations;
  /** Admits whoever may look at the credentials of their own tenant. */
  readonly guard: Middleware<GuardedState>;
}

/** All that is said of a token that is not good, not known, or none of the caller's business (RFC 7662 §2.2). */
const INACTIVE = { active: false };

/**
 * Token introspection (RFC 7662). A confidential client sees the tokens that were issued to it, a service
 * with the scope `introspect` its tenant's credentials of either family.
 */
export function createIntrospectRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { issuer, path, verifier, refreshTokens, clients, presentations, guard } = dependencies;

  /** @param isTheirs whether the caller may know a credential */
  async function introspect(looked: Promise<Verdict>, isTheirs: (principal: Principal) => boolean) {
    const verdict = await looked;
    if (verdict.outcome === 'refused' || !isTheirs(verdict.principal)) return INACTIVE;
    // The hint (§2.1) is not needed: what a credential is can be told from itself.
    return describe(verdict.principal, issuer);
  }

  async function introspectAsClient(ctx: RouteContext<RequestState>, form: Form) {
    // Asked before the client is known, so that both are looked up by one query. What is found
    // only that client learns whose token it is.
    const looked = verifier.verify(form.get('token') ?? '', undefined);
    looked.catch(() => undefined);
    const client = await clients.authenticate(ctx, form);
    if (!client.isConfidential) {
      throw new OAuthError(401, 'invalid_client', 'public clients cannot introspect');
    }
    const token = tokenOf(form);
    const refreshToken = await refreshTokens.find(client.id, token);
    if (refreshToken === undefined) {
      return introspect(looked, (principal) => principal.token?.clientId === client.id);
    }
    const { isActive, ...facts } = refreshToken;
    return isActive ? { active: true, ...facts, iss: issuer } : INACTIVE;
  }

  async function introspectAsService(ctx: RouteContext<RequestState>, form: Form) {
    let answer: object = INACTIVE;
    await guard(ctx as unknown as Parameters<typeof guard>[0], async () => {
      const { tenantId } = (ctx.state as GuardedState).principal;
      const looked = verifier.verify(tokenOf(form), undefined);
      answer = await introspect(looked, (principal) => principal.tenantId === tenantId);
    });
    return answer;
  }

  return [
    {
      method: 'POST',
      path,
      access: 'public',
      async handle(ctx) {
        ctx.state.isRead = true;
        const form = await readForm(ctx);
        const isService = presentations.find(ctx.req, '') !== undefined;
        const answer = await (isService ? introspectAsService : introspectAsClient)(ctx, form);
        ctx.type = 'application/json';
        ctx.body = JSON.stringify(answer);
      },
    },
  ];
}

function tokenOf(form: Form): string {
  const token = singleValue(form, 'token');
  if (token === undefined) throw new OAuthError(400, 'invalid_request', 'token is missing');
  return token;
}

function describe(principal: Principal, issuer: string) {
  const { token, expiresAt } = principal;
  return {
    active: true,
    scope: principal.scopes.join(' '),
    ...(token === undefined ? { key_id: principal.credentialId } : { client_id: token.clientId }),
    sub: principal.principalId,
    tenant_id: principal.tenantId,
    environment: principal.environment,
    spaces: principal.spaces,
    ...(principal.bindings && { bindings: principal.bindings }),
    principal: { kind: principal.principalKind, id: principal.principalId },
    ...(token !== undefined && { role: token.role, aud: token.audience }),
    token_type: 'Bearer',
    ...(expiresAt !== null && { exp: Math.floor(expiresAt / 1000) }),
    iat: Math.floor(principal.issuedAt / 1000),
    iss: issuer,
  };
}
