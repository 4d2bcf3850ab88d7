import { findAuth, idIn, isBodyLate, noteAuth, type Auth, type NodeRequest } from './auth.js';
import type { Access } from './access.js';
import type { Admission } from './gate.js';
import type { Guard } from './guard.js';
import type { Sent } from './question.js';

/** The part of Fastify's request that is used. */
export interface FastifyRequest {
  readonly raw: NodeRequest;
  readonly method: string;
  readonly originalUrl: string;
  /** Behind a proxy, set `trustProxy`. */
  readonly ip: string;
  readonly params: unknown;
}

/** The part of Fastify's reply that is used. */
export interface FastifyReply {
  code(status: number): unknown;
  headers(values: Record<string, string>): unknown;
  send(payload: Buffer): unknown;
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** Options of a route that admit requests by a rule. */
export interface FastifyProtection {
  /** Judges a request before its body is read. */
  readonly onRequest: Hook;
  /** Judges again if a part of the body arrived later than the first verdict. */
  readonly preHandler: Hook;
}

/**
 * Makes options of a route that admit requests by a rule, or answer as Gatehouse's own API does.
 * @throws TypeError for an invalid rule
 */
export function protect(guard: Guard, access: Access<FastifyRequest>): FastifyProtection {
  const gate = guard.gate(access);
  const late = new WeakMap<object, Admission>();

  async function admit(request: FastifyRequest, reply: FastifyReply, former?: Admission) {
    const decision = await gate(request, sentIn(request), former);
    if (!decision.isAdmitted) {
      reply.code(decision.status);
      reply.headers({ ...decision.headers });
      // Bytes, because Fastify adds a charset to the type of a text.
      reply.send(Buffer.from(decision.body));
      return reply;
    }
    noteAuth(request.raw, decision);
    if (former !== undefined) return undefined;
    reply.headers({ ...decision.headers });
    if (isBodyLate(request.raw)) late.set(request.raw, decision);
    return undefined;
  }

  return {
    onRequest: (request, reply) => admit(request, reply),
    async preHandler(request, reply) {
      const former = late.get(request.raw);
      return former === undefined ? undefined : admit(request, reply, former);
    },
  };
}

/** The facts of an admitted request. @throws Error if no guard has admitted it */
export function authOf({ raw }: Pick<FastifyRequest, 'raw'>): Auth {
  return findAuth(raw);
}

function sentIn({ raw, method, originalUrl, ip, params }: FastifyRequest): Sent {
  return { method, target: originalUrl, lines: raw.rawHeaders, address: ip, id: idIn(params) };
}
