import type { IncomingMessage } from 'node:http';

import type { Admission } from './gate.js';

/** The facts of an admitted request. */
export type Auth = Pick<Admission, 'requestId' | 'verdict' | 'space'>;

/** Not a member of the request, which a body or a query could shadow. */
const admitted = new WeakMap<object, Auth>();

export function noteAuth(request: object, { requestId, verdict, space }: Admission): void {
  admitted.set(request, { requestId, verdict, space });
}

/** @throws Error if no guard has admitted the request */
export function findAuth(request: object): Auth {
  const auth = admitted.get(request);
  if (auth === undefined) throw new Error('The route is not guarded.');
  return auth;
}

/** The part of Node's request that is read. */
export type NodeRequest = Pick<IncomingMessage, 'rawHeaders' | 'headers' | 'complete'>;

/** Whether a part of the body has not arrived yet. */
export function isBodyLate({ headers, complete }: NodeRequest): boolean {
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
  return hasBody && !complete;
}

/** The path parameter `id`. */
export function idIn(parameters: unknown): unknown {
  const isObject = typeof parameters === 'object' && parameters !== null;
  return isObject && Object.hasOwn(parameters, 'id') && 'id' in parameters
    ? parameters.id
    : undefined;
}
