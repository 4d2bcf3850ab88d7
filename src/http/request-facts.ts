import type { IncomingMessage } from 'node:http';

import { traceOf, type TraceFields } from './trace-context.js';

/** Whom a request comes from and what it acts on, for its line in the log: ids only, never a secret or a name. */
export interface RequestFacts {
  readonly tenantId?: string | undefined;
  readonly credentialId?: string | undefined;
  /** The kind of the credential. */
  readonly kind?: string | undefined;
  /** Also of a client that was refused: then it is the id that it claims. */
  readonly clientId?: string | undefined;
  readonly accountId?: string | undefined;
  readonly grantId?: string | undefined;
}

/** Adds what became known to the line that is logged for the request. What is `undefined` changes nothing. */
export function noteFacts(ctx: { readonly state: object }, facts: RequestFacts): void {
  const state = ctx.state as { facts?: RequestFacts };
  if (state.facts === undefined) {
    state.facts = facts;
    return;
  }
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  state.facts = { ...state.facts, ...Object.fromEntries(known) };
}

/** The fields by which each line about a request is found: its own id, and the caller's trace. */
export function referenceOf(ctx: {
  readonly state: { readonly requestId?: string };
  readonly req: Pick<IncomingMessage, 'headers'>;
}): { readonly requestId: string | undefined } & Partial<TraceFields> {
  return { requestId: ctx.state.requestId, ...traceOf(ctx.req) };
}
