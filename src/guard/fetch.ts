import type { Access } from './access.js';
import type { Refusal } from './answers.js';
import type { Auth } from './auth.js';
import type { Admission } from './gate.js';
import type { Guard } from './guard.js';
import type { Sent } from './question.js';

/** The access rule of a `fetch` handler. */
export interface FetchAccess<Context extends readonly unknown[]> extends Access<Request> {
  /**
   * Tells the client's address, from what the server passes to the handler. Without it, credentials with an allow-list are
   * refused. Do not read it from a header that clients can set.
   */
  readonly address?: (request: Request, ...context: Context) => string | undefined;
}

export type FetchHandler<Context extends readonly unknown[]> = (
  request: Request,
  ...context: Context
) => Promise<Response>;

/**
 * Makes a handler that admits requests by a rule, or answers as Gatehouse's own API does. A request with a body is judged
 * again when the body has ended, and reading it fails if it is refused then.
 *
 * @param handler receives the request and the facts about it
 * @throws TypeError for an invalid rule
 */
export function protect<Context extends readonly unknown[]>(
  guard: Guard,
  { address, ...access }: FetchAccess<Context>,
  handler: (request: Request, auth: Auth, ...context: Context) => Response | Promise<Response>,
): FetchHandler<Context> {
  const gate = guard.gate<Request>(access);
  return async (request, ...context) => {
    const sent = sentIn(request, address?.(request, ...context));
    const decision = await gate(request, sent);
    if (!decision.isAdmitted) return answer(request, decision);
    const again = () => gate(request, sent, decision);
    const refusals: Refusal[] = [];
    const guarded = withGuardedBody(request, again, (refusal) => refusals.push(refusal));
    try {
      const response = await handler(guarded, authIn(decision), ...context);
      const [refusal] = refusals;
      return refusal === undefined
        ? withHeaders(response, decision.headers)
        : answer(request, refusal);
    } catch (error) {
      const [refusal] = refusals;
      if (refusal === undefined) throw error;
      return answer(request, refusal);
    }
  };
}

function authIn({ requestId, verdict, space }: Admission): Auth {
  return { requestId, verdict, space };
}

/** Judges again at the end of the body. */
function withGuardedBody(
  request: Request,
  again: () => Promise<Admission | Refusal>,
  onRefusal: (refusal: Refusal) => void,
): Request {
  if (request.body === null) return request;
  const body = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      async flush(controller) {
        const decision = await again();
        if (decision.isAdmitted) return;
        onRefusal(decision);
        controller.error(new Error('The credential was refused while the body arrived.'));
      },
    }),
  );
  const init: RequestInit & { readonly duplex: 'half' } = { body, duplex: 'half' };
  return new Request(request, init);
}

const JOINED: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'dpop']);

function sentIn(request: Request, address: string | undefined): Sent {
  const { pathname, search } = new URL(request.url);
  const lines: string[] = [];
  for (const [name, value] of request.headers) {
    // Lines of one name are joined. No credential has a comma followed by a blank.
    const isJoined = JOINED.has(name) || name.endsWith('-api-token');
    for (const line of isJoined ? splitLines(name, value) : [value]) lines.push(name, line);
  }
  return { method: request.method, target: pathname + search, lines, address };
}

/** Parameters of a scheme such as Digest are separated by commas too. */
function splitLines(name: string, value: string): readonly string[] {
  return name === 'authorization' ? value.split(/, (?=[\w-]+ )/) : value.split(', ');
}

function answer({ method }: Request, { status, headers, body }: Refusal): Response {
  return new Response(method === 'HEAD' ? null : body, { status, headers });
}

/** Adds headers to an answer that may be immutable, such as that of a redirect. */
function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const joined = new Headers(response.headers);
  for (const [name, value] of Object.entries(headers)) joined.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers: joined });
}
