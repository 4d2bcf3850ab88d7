import type { Middleware } from 'koa';

import type { GuardedState } from '../credentials/guard.js';
import type { RouteContext } from '../http/context.js';
import type { Readers } from '../http/cors.js';
import type { Route } from '../http/routes.js';

interface Dependencies {
  readonly path: string;
  /** What every credential starts with. */
  readonly brand: string;
  /** Admits any principal, whatever its scopes. */
  readonly guard: Middleware<GuardedState>;
  readonly findAccount: (
    id: string,
  ) => Promise<{ readonly email: string; readonly name: string | null } | undefined>;
}

/**
 * Who am I (OpenID Connect Core §5.3), for tokens and for keys, and whatever their scopes: the consent
 * page says that every client learns this.
 */
export function createUserinfoRoutes({
  path,
  brand,
  guard,
  findAccount,
}: Dependencies): Route<'public'>[] {
  const token = new RegExp(`^(bearer|dpop) +${brand}_at_`, 'i');
  async function answer(ctx: RouteContext<GuardedState>): Promise<void> {
    const { principal } = ctx.state;
    const { token, tenantId, scopes } = principal;
    const common = { tenant_id: tenantId, scopes };
    const account = token && (await findAccount(principal.principalId));
    ctx.type = 'application/json';
    ctx.body = JSON.stringify(
      token === undefined
        ? { sub: principal.credentialId, ...common }
        : {
            sub: principal.principalId,
            ...common,
            // Named one by one: whatever else an account has is nobody's business.
            ...(account && { email: account.email, name: account.name }),
            role: token.role,
          },
    );
  }
  return (['GET', 'POST'] as const).map((method) => ({
    method,
    path,
    access: 'public',
    handle: (ctx) => {
      // Told by its looks alone, so that also an expired one gets an answer that its page can read.
      if (token.test(ctx.get('Authorization'))) (ctx.state as { readers?: Readers }).readers = '*';
      return guard(ctx as never, () => answer(ctx as unknown as RouteContext<GuardedState>));
    },
  }));
}
