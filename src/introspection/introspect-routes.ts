import type { Principal } from '../credentials/principal.js';
import type { Verdict, Verifier } from '../credentials/verifier.js';
import type { ClientAuthentication } from '../clients/client-authentication.js';
import type { RefreshTokens } from '../grants/refresh-tokens.js';
import { readForm, singleValue } from '../http/form.js';
import { OAuthError } from '../http/oauth-error.js';
import type { Route } from '../http/routes.js';

interface Dependencies {
  readonly issuer: string;
  readonly path: string;
  readonly verifier: Verifier;
  readonly refreshTokens: RefreshTokens;
  readonly clients: ClientAuthentication;
}

/** All that is said of a token that is not good, not known, or none of the caller's business (RFC 7662 §2.2). */
const INACTIVE = { active: false };

/** Token introspection (RFC 7662). A confidential client sees the tokens that were issued to it. */
export function createIntrospectRoutes(dependencies: Dependencies): Route<'public'>[] {
  const { issuer, path, verifier, refreshTokens, clients } = dependencies;

  async function introspect(token: string, clientId: string, looked: Promise<Verdict>) {
    const refreshToken = await refreshTokens.find(clientId, token);
    if (refreshToken !== undefined) {
      const { isActive, ...facts } = refreshToken;
      return isActive ? { active: true, ...facts, iss: issuer } : INACTIVE;
    }
    const verdict = await looked;
    if (verdict.outcome === 'refused') return INACTIVE;
    // The hint (§2.1) is not needed: what a credential is can be told from itself.
    return verdict.principal.token?.clientId === clientId
      ? describe(verdict.principal, issuer)
      : INACTIVE;
  }

  return [
    {
      method: 'POST',
      path,
      access: 'public',
      async handle(ctx) {
        const form = await readForm(ctx);
        // Asked before the client is known, so that both are looked up by one query. What is found
        // only that client learns whose token it is.
        const looked = verifier.verify(form.get('token') ?? '', undefined);
        looked.catch(() => undefined);
        const client = await clients.authenticate(ctx, form);
        if (!client.isConfidential) {
          throw new OAuthError(401, 'invalid_client', 'public clients cannot introspect');
        }
        const token = singleValue(form, 'token');
        if (token === undefined) {
          throw new OAuthError(400, 'invalid_request', 'token is missing');
        }
        ctx.type = 'application/json';
        ctx.body = JSON.stringify(await introspect(token, client.id, looked));
      },
    },
  ];
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
    principal: { kind: principal.principalKind, id: principal.principalId },
    ...(token !== undefined && { role: token.role, aud: token.audience }),
    token_type: 'Bearer',
    ...(expiresAt !== null && { exp: Math.floor(expiresAt / 1000) }),
    iat: Math.floor(principal.issuedAt / 1000),
    iss: issuer,
  };
}
