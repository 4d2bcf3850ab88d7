import type { ServerResponse } from 'node:http';

import { findAuth, idIn, isBodyLate, noteAuth, type Auth, type NodeRequest } from './auth.js';
import type { Access } from './access.js';
import type { Refusal } from './answers.js';
import type { Admission } from './gate.js';
import type { Guard } from './guard.js';
import type { Sent } from './question.js';

/** The part of Express's request that is used. */
export interface ExpressRequest extends NodeRequest {
  readonly method: string;
  readonly originalUrl: string;
  /** Behind a proxy, set `trust proxy`. */
  readonly ip?: string | undefined;
  readonly params?: unknown;
}

type ExpressResponse = Pick<ServerResponse, 'statusCode' | 'setHeader' | 'end'>;

export type ExpressMiddleware = (
  request: ExpressRequest,
  response: ExpressResponse,
  next: (error?: unknown) => void,
) => void;

/** Middleware that admits requests by a rule. */
export interface ExpressProtection extends ExpressMiddleware {
  /** To be mounted behind the body parser: judges again if a part of the body arrived later than the first verdict. */
  readonly afterBody: ExpressMiddleware;
}

/**
 * Makes middleware that admits requests by a rule, or answers as Gatehouse's own API does.
 * @throws TypeError for an invalid rule
 */
export function protect(guard: Guard, access: Access<ExpressRequest>): ExpressProtection {
  const gate = guard.gate(access);
  const late = new WeakMap<object, Admission>();

  async function admit(
    request: ExpressRequest,
    response: ExpressResponse,
    former?: Admission,
  ): Promise<boolean> {
    const decision = await gate(request, sentIn(request), former);
    if (!decision.isAdmitted) {
      refuse(response, decision);
      return false;
    }
    noteAuth(request, decision);
    if (former !== undefined) return true;
    setHeaders(response, decision.headers);
    if (isBodyLate(request)) late.set(request, decision);
    return true;
  }

  const middleware: ExpressMiddleware = (request, response, next) => {
    admit(request, response).then((isAdmitted) => isAdmitted && next(), next);
  };
  const afterBody: ExpressMiddleware = (request, response, next) => {
    const former = late.get(request);
    if (former === undefined) next();
    else admit(request, response, former).then((isAdmitted) => isAdmitted && next(), next);
  };
  return Object.assign(middleware, { afterBody });
}

/** The facts of an admitted request. @throws Error if no guard has admitted it */
export function authOf(request: ExpressRequest): Auth {
  return findAuth(request);
}

function sentIn({ rawHeaders, method, originalUrl, ip, params }: ExpressRequest): Sent {
  return { method, target: originalUrl, lines: rawHeaders, address: ip, id: idIn(params) };
}

function refuse(response: ExpressResponse, { status, headers, body }: Refusal): void {
  response.statusCode = status;
  setHeaders(response, headers);
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.end(body);
}

function setHeaders(response: ExpressResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
