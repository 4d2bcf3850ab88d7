import {
  type Access,
  ANY_PRINCIPAL,
  type GuardedState,
  type Principal,
} from '../credentials/index.js';
import { KINDS } from '../credentials/kinds.js';
import { sendData } from '../http/envelope.js';
import type { Route } from '../http/routes.js';

/** `/me`: describes the presented credential. */
export function createMeRoutes(): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/me',
      access: { scopes: [], principals: ANY_PRINCIPAL },
      handle: (ctx) => sendData(ctx, present(ctx.state.principal)),
    },
  ];
}

function present(principal: Principal) {
  const { kind, tenantId, scopes, environment, token } = principal;
  const { type } = KINDS[kind];
  if (token !== undefined) {
    return {
      type,
      clientId: token.clientId,
      clientName: token.clientName,
      userId: principal.principalId,
      tenantId,
      role: token.role,
      scopes,
      environment,
      expiresAt: new Date(principal.expiresAt ?? 0),
    };
  }
  return {
    keyId: principal.credentialId,
    keyName: principal.credentialName,
    tenantId,
    scopes,
    type,
    environment,
    principal: { kind: principal.principalKind, id: principal.principalId },
  };
}
