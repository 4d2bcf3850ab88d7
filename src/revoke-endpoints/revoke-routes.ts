import type { Context } from 'koa';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { type Actor, createAuditLog } from '../audit/index.js';
import { authenticateKey, type ClientAuthentication } from '../clients/index.js';
import { KINDS } from '../credentials/kinds.js';
import {
  createRevocationStore,
  type ImportedPrefixes,
  type Principal,
  requestFactsOf,
  type SecretFormat,
  type Verifier,
} from '../credentials/index.js';
import type { RefreshTokens } from '../grants/index.js';
import type { Readers } from '../http/cors.js';
import { type Form, readForm, singleValue } from '../http/body/form.js';
import { OAUTH_ERRORS } from '../http/errors/oauth-error-schema.js';
import { OAuthError } from '../http/errors/oauth-error.js';
import { noteFacts } from '../http/request-facts.js';
import type { Route } from '../http/routes.js';

interface Dependencies {
  readonly path: string;
  readonly verifier: Verifier;
  readonly format: SecretFormat;
  /** Recognizes imported keys. */
  readonly prefixes: Pick<ImportedPrefixes, 'covers'>;
  readonly refreshTokens: RefreshTokens;
  readonly clients: ClientAuthentication;
  readonly clientAddress: (request: Context['req']) => string;
  readonly transaction: <Result>(
    work: (manager: EntityManager) => Promise<Result>,
  ) => Promise<Result>;
}

/**
 * Token revocation (RFC 7009). Idempotent: unknown and expired tokens and those of another client get the same response as
 * revoked ones (§2.2).
 *
 * Possession of an API key is enough to revoke it, so that the finder of a leaked key can do so. A token that was issued
 * for a key ends alone, with the key as the client.
 */
export function createRevokeRoutes(dependencies: Dependencies): Route<'public'>[] {
  const revocations = createRevocations(dependencies);
  return [
    {
      method: 'POST',
      path: dependencies.path,
      summary: 'Revoke a token or key',
      access: 'public',
      cors: 'perResponse',
      answers: { ...OAUTH_ERRORS, 200: z.strictObject({}) },
      async handle(ctx) {
        // Until the client is authenticated, any origin may read the error.
        const state = ctx.state as { readers?: Readers };
        state.readers = '*';
        const form = await readForm(ctx);
        const token = singleValue(form, 'token');
        if (token !== undefined && (await revocations.revokeKey(ctx, token))) state.readers = [];
        else await revokeAsClient(ctx, form, dependencies, revocations);
        ctx.status = 200;
        ctx.set('Cache-Control', 'no-store');
        ctx.type = 'application/json';
        // RFC 7009 §2.2 does not define the body. Existing clients parse it as JSON.
        ctx.body = '{}';
      },
    },
  ];
}

/** @throws OAuthError 401 `invalid_client`, 400 `invalid_request` */
async function revokeAsClient(
  ctx: Context,
  form: Form,
  dependencies: Dependencies,
  { revokeToken, revokeTokenOf }: Revocations,
): Promise<void> {
  const token = singleValue(form, 'token');
  const key = await authenticateKey(ctx, form, dependencies);
  const client = key === undefined ? await dependencies.clients.authenticate(ctx, form) : undefined;
  (ctx.state as { readers?: Readers }).readers = client?.readers() ?? [];
  if (token === undefined) throw tokenMissing();
  if (key !== undefined) await revokeTokenOf(ctx, token, key);
  if (client !== undefined) await revokeToken(ctx, token, client.id);
}

type Revocations = ReturnType<typeof createRevocations>;

function createRevocations({
  verifier,
  format,
  prefixes,
  refreshTokens,
  clientAddress,
  transaction,
}: Dependencies) {
  function actorOf(ctx: Context, id: string): Actor {
    const { requestId } = ctx.state as { requestId: string };
    return { id, address: clientAddress(ctx.req), requestId };
  }

  const end = (principal: Principal, actor: Actor) =>
    transaction((manager) => endIn(manager, principal, actor));

  /** @returns whether it has the form of a key, or is a known imported key */
  async function revokeKey(ctx: Context, key: string): Promise<boolean> {
    const kind = format.parse(key)?.kind;
    const isOurs = kind !== undefined && KINDS[kind].lookupQuery !== 'tokens';
    if (!isOurs && !prefixes.covers(key)) return false;
    const verdict = await verifier.verify(key, undefined);
    const { principal } = verdict;
    if (principal === undefined) return isOurs;
    noteFacts(ctx, requestFactsOf(principal));
    // Possession of a publishable key proves nothing. A revoked key is not revoked again, so that repeated requests do not
    // fill the audit log.
    const isOver = verdict.outcome === 'refused' && verdict.reason === 'revoked';
    if (!KINDS[principal.kind].isReadable && !isOver) {
      await end(principal, actorOf(ctx, principal.credentialId));
    }
    return true;
  }

  async function revokeToken(ctx: Context, token: string, clientId: string): Promise<void> {
    const actor = actorOf(ctx, clientId);
    if (await refreshTokens.revoke(actor, token)) return;
    const verdict = await verifier.verify(token, undefined);
    if (verdict.outcome === 'refused' && verdict.reason !== 'tenant_suspended') return;
    const { principal } = verdict;
    if (principal?.token?.clientId !== clientId) return;
    noteFacts(ctx, requestFactsOf(principal));
    await end(principal, actor);
  }

  /** Ends a token that was issued for the key itself. Tokens of other keys are left alone. */
  async function revokeTokenOf(ctx: Context, token: string, key: Principal): Promise<void> {
    noteFacts(ctx, requestFactsOf(key));
    const verdict = await verifier.verify(token, undefined);
    if (verdict.outcome === 'refused' || verdict.principal.exchanged?.keyId !== key.credentialId) {
      return;
    }
    await end(verdict.principal, actorOf(ctx, key.credentialId));
  }

  return { revokeKey, revokeToken, revokeTokenOf };
}

async function endIn(
  manager: EntityManager,
  { credentialId, tenantId }: Principal,
  actor: Actor,
): Promise<void> {
  await createRevocationStore(manager).revoke(
    credentialId,
    actor.id,
    'revoked by its holder',
    tenantId,
  );
  await createAuditLog(manager).record(actor, {
    tenantId,
    action: 'credential.revoke',
    subject: credentialId,
  });
}

function tokenMissing(): OAuthError {
  return new OAuthError(400, 'invalid_request', 'token is missing');
}
