import type { Middleware } from 'koa';
import { z } from 'zod';

import { type GuardedState, keyIdOf } from '../credentials/index.js';
import { answerJson } from '../http/answer-headers.js';
import type { RouteContext } from '../http/context.js';
import type { Readers } from '../http/cors.js';
import { OAUTH_ERRORS } from '../http/errors/oauth-error-schema.js';
import type { Route } from '../http/routes.js';
import { SCOPES } from '../scopes/catalog.js';

/** The claims of a token's user, or of a key. */
const claims = z.strictObject({
  sub: z.string(),
  tenant_id: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  email: z.string().optional(),
  name: z.string().optional(),
  role: z.string().optional(),
});

interface Dependencies {
  readonly path: string;
  /** The prefix of every credential. */
  readonly brand: string;
  /** Admits any principal, with any scopes. */
  readonly guard: Middleware<GuardedState>;
  readonly findAccount: (
    id: string,
  ) => Promise<{ readonly email: string; readonly name: string | null } | undefined>;
}

/**
 * Userinfo (OpenID Connect Core §5.3), for tokens and keys with any scopes. The consent page says that every client sees
 * these claims.
 */
export function createUserinfoRoutes({
  path,
  brand,
  guard,
  findAccount,
}: Dependencies): Route<'public'>[] {
  const looksLikeToken = new RegExp(`^(bearer|dpop) +${brand}_at_`, 'i');
  async function answer(ctx: RouteContext<GuardedState>): Promise<void> {
    const { principal } = ctx.state;
    const { token, tenantId, scopes } = principal;
    const common = { tenant_id: tenantId, scopes };
    if (token === undefined) {
      answerJson(ctx, JSON.stringify({ sub: keyIdOf(principal), ...common }));
      return;
    }
    const { email, name } = (await findAccount(principal.principalId)) ?? {};
    // Claims without a value are omitted (OpenID Connect Core §5.3.2).
    const person = { email, ...(name !== null && { name }), role: token.role };
    answerJson(ctx, JSON.stringify({ sub: principal.principalId, ...common, ...person }));
  }
  return (['GET', 'POST'] as const).map((method) => ({
    method,
    path,
    summary: 'Describe the holder of the presented credential',
    access: 'public',
    answers: { ...OAUTH_ERRORS, 200: claims },
    cors: 'perResponse',
    handle: (ctx) => {
      // Told by its looks alone, so that also an expired one gets an answer that its page can read.
      if (looksLikeToken.test(ctx.get('Authorization')))
        (ctx.state as { readers?: Readers }).readers = '*';
      return guard(ctx as never, () => answer(ctx as unknown as RouteContext<GuardedState>));
    },
  }));
}
