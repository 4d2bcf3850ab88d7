import { findAuth, idIn, isBodyLate, noteAuth, type Auth, type NodeRequest } from './auth.js';
import type { Access } from './access.js';
import type { Refusal } from './answers.js';
import type { Admission } from './gate.js';
import type { Guard } from './guard.js';
import type { Sent } from './question.js';

/** The part of Koa's context that is used. */
export interface KoaContext {
  readonly req: NodeRequest;
  readonly method: string;
  readonly originalUrl: string;
  /** Behind a proxy, set `app.proxy`. */
  readonly ip: string;
  readonly params?: unknown;
  status: number;
  body?: unknown;
  set(headers: { [name: string]: string }): unknown;
}

export type KoaMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<unknown>;

/** Middleware that admits requests by a rule. */
export interface KoaProtection extends KoaMiddleware {
  /** To be mounted behind the body parser: judges again if a part of the body arrived later than the first verdict. */
  readonly afterBody: KoaMiddleware;
}

/**
 * Makes middleware that admits requests by a rule, or answers as Gatehouse's own API does.
 * @throws TypeError for an invalid rule
 */
export function protect(guard: Guard, access: Access<KoaContext>): KoaProtection {
  const gate = guard.gate(access);
  const late = new WeakMap<object, Admission>();

  async function admit(ctx: KoaContext, former?: Admission): Promise<Admission | undefined> {
    const decision = await gate(ctx, sentIn(ctx), former);
    if (!decision.isAdmitted) {
      refuse(ctx, decision);
      return undefined;
    }
    noteAuth(ctx.req, decision);
    return decision;
  }

  const middleware: KoaMiddleware = async (ctx, next) => {
    const admission = await admit(ctx);
    if (admission === undefined) return undefined;
    ctx.set(admission.headers);
    if (isBodyLate(ctx.req)) late.set(ctx.req, admission);
    return next();
  };
  const afterBody: KoaMiddleware = async (ctx, next) => {
    const former = late.get(ctx.req);
    if (former !== undefined && (await admit(ctx, former)) === undefined) return undefined;
    return next();
  };
  return Object.assign(middleware, { afterBody });
}

/** The facts of an admitted request. @throws Error if no guard has admitted it */
export function authOf({ req }: Pick<KoaContext, 'req'>): Auth {
  return findAuth(req);
}

function sentIn({ req, method, originalUrl, ip, params }: KoaContext): Sent {
  return { method, target: originalUrl, lines: req.rawHeaders, address: ip, id: idIn(params) };
}

function refuse(ctx: KoaContext, { status, headers, body }: Refusal): void {
  ctx.status = status;
  ctx.set(headers);
  ctx.body = body;
}
