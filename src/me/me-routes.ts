import { ANY_PRINCIPAL, type Access, type GuardedState } from '../credentials/guard.js';
import { KINDS } from '../credentials/kinds.js';
import { sendData } from '../http/envelope.js';
import type { Route } from '../http/routes.js';

/** `/me`: what the presented credential is and may do. */
export function createMeRoutes(): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/me',
      access: { scopes: [], principals: ANY_PRINCIPAL },
      handle(ctx) {
        const { principal } = ctx.state;
        sendData(ctx, {
          keyId: principal.credentialId,
          keyName: principal.credentialName,
          tenantId: principal.tenantId,
          scopes: principal.scopes,
          type: KINDS[principal.kind].type,
          environment: principal.environment,
          principal: { kind: principal.principalKind, id: principal.principalId },
        });
      },
    },
  ];
}
