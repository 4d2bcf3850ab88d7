import { Problem } from '../../http/errors/problem.js';
import { delegableBy } from '../../scopes/roles.js';
import { missingFrom } from '../../scopes/scope-set.js';
import { UNANNOTATED, type Principal } from '../principal.js';
import type { Access } from './admission.js';
import type { Member } from './session-guard.js';

/**
 * The principal of a member's browser session at a route for credentials: the user, with the scopes of the role.
 *
 * @throws Problem `scope_insufficient` if the role lacks a scope of the route; `forbidden` if the route admits no sessions
 */
export function sessionPrincipal(
  { accountId, sessionId, tenantId, role }: Member,
  access: Access | undefined,
): Principal {
  if (access === undefined || access === 'public' || access.sessions !== true) {
    throw new Problem('forbidden', 'Browser sessions are not admitted here.');
  }
  const scopes = delegableBy(role);
  const missing = missingFrom(scopes, access.scopes);
  if (missing.length > 0) {
    throw new Problem('scope_insufficient', `Your role lacks ${missing.join(', ')}.`, {
      requiredScopes: access.scopes,
    });
  }
  return {
    credentialId: sessionId,
    credentialName: 'Browser session',
    kind: 'personal',
    tenantId,
    environment: 'live',
    scopes,
    spaces: null,
    allowedIps: null,
    bindings: null,
    principalKind: 'user',
    principalId: accountId,
    issuedAt: 0,
    expiresAt: null,
    rateLimitPerMinute: null,
    proofKey: null,
    origin: { subjects: [sessionId, accountId, tenantId].join(' '), position: '0' },
    annotations: { tenant: UNANNOTATED, key: UNANNOTATED },
    token: undefined,
    exchanged: undefined,
  };
}
