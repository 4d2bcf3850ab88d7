import type { EntityManager } from 'typeorm';

import { createAuditLog } from '../audit/index.js';

/** How a user signed in: with the password, or at a provider, by its id in `SIGN_IN_PROVIDERS`. */
export type SignInMethod =
  { readonly method: 'password' } | { readonly method: 'provider'; readonly provider: string };

/** The methods of a sign-in at a provider (RFC 8176), as sessions hold them: the provider knows how the user authenticated. */
export function amrOf(provider: string): readonly string[] {
  return ['fed', provider];
}

/** @param payload data of the protocol library. Its `amr` is `fed` and the provider's id after a sign-in there */
export function methodOf(payload: object): SignInMethod {
  const [method, provider] = 'amr' in payload && Array.isArray(payload.amr) ? payload.amr : [];
  return method === 'fed' && typeof provider === 'string'
    ? { method: 'provider', provider }
    : { method: 'password' };
}

interface SignedInSession {
  readonly id: string;
  readonly address: string | null;
  readonly requestId?: string | null;
  readonly payload: object;
}

/** Writes the audit entry of a sign-in, and its time. */
export async function recordSignIn(
  manager: EntityManager,
  accountId: string,
  { id, address, requestId = null, payload }: SignedInSession,
): Promise<void> {
  // Members see when somebody signed in last. A table of its own, since sign-ins lock the row of their account.
  await manager.query(
    `INSERT INTO last_sign_ins (account_id, at) VALUES ($1, gatehouse_now())
     ON CONFLICT (account_id) DO UPDATE SET at = excluded.at`,
    [accountId],
  );
  await createAuditLog(manager).record(
    { id: accountId, address, requestId },
    {
      tenantId: null,
      action: 'account.sign_in',
      subject: accountId,
      details: { session: id, ...methodOf(payload) },
    },
  );
}
