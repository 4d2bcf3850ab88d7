import type { Caller } from './callers.js';
import {
  admissionTo,
  factsOf,
  isPresentable,
  type Admission,
  type Environment,
  type Presentation,
} from './contract.js';
import type { Owner } from './targets.js';

/** Required answers of the API, in the notation of `observe.ts`: status, code, challenge. */

type Answer = readonly [status: number, code?: string, error?: string];

const METADATA = 'http://localhost:3000/.well-known/oauth-protected-resource/api/v1';
const UNAUTHORIZED: Answer = [401, 'unauthorized', 'invalid_token'];
const FORBIDDEN: Answer = [403, 'forbidden', 'insufficient_scope'];
const SUCCESS: Readonly<Record<string, number>> = {
  GET: 200,
  HEAD: 200,
  POST: 201,
  PUT: 200,
  PATCH: 200,
  DELETE: 204,
};

/** A test of a credential makes nothing. */
function successOf(method: string, path: string): number {
  return path === '/credentials/test' ? 200 : (SUCCESS[method] ?? 0);
}

/** The answer where the method is not one of the path's, for every caller. */
export function answerToOtherMethod(method: string): string {
  return written(method, [405, 'method_not_allowed']);
}

/**
 * The answer to a request that presents nothing that is a credential.
 * @param isInQuery whether it has a parameter that no route reads
 */
export function answerToNobody(method: string, path: string, isInQuery: boolean): string {
  if (isInQuery && admissionTo(method, path) === 'public') {
    return written(method, [422, 'validation_failed']);
  }
  return answerTo(method, path, () => [401, 'unauthorized']);
}

/** The answer to a request that presents something invalid. */
export function answerToStranger(method: string, path: string): string {
  return answerTo(method, path, () => UNAUTHORIZED);
}

/** First whether it is a good credential, presented well; then whether its kind may come here; then its scopes. */
export function answerToCaller(
  method: string,
  path: string,
  { kind, environment, scopes }: Caller,
  by: Presentation,
  owner: Owner = 'own',
): string {
  return answerTo(method, path, (admission) => {
    if (!isPresentable(kind, by, method)) return UNAUTHORIZED;
    if (!admission.principals.includes(factsOf(kind).principal)) return FORBIDDEN;
    if (!admission.scopes.every((scope) => scopes.includes(scope))) {
      return [403, 'scope_insufficient', 'insufficient_scope'];
    }
    if (!isReached(path, environment, owner)) return [404, 'not_found'];
    return isSharedWithLive(method, path) && environment === 'test'
      ? FORBIDDEN
      : [successOf(method, path)];
  });
}

/** The answer at `/me` to two at once. */
export function answerToPair(
  one: Caller,
  first: Presentation,
  two: Caller,
  second: Presentation,
): string {
  const isPair =
    two.kind === 'publishable' &&
    second === 'X-API-Key' &&
    factsOf(one.kind).principal === 'user' &&
    ['Bearer', 'Token', 'DPoP'].includes(first);
  // A token is of no environment but the key's; a personal token is of one, and test reaches no live.
  const isBeyond =
    one.kind === 'personal' && one.environment === 'test' && two.environment === 'live';
  return answerTo('GET', '/me', () => {
    if (!isPair) return [400, 'bad_request'];
    if (first === 'DPoP') return UNAUTHORIZED;
    return isBeyond ? FORBIDDEN : [200];
  });
}

function answerTo(method: string, path: string, admit: (to: Admission) => Answer): string {
  const admission = admissionTo(method, path) ?? { scopes: [], principals: [] };
  if (admission === 'public') return '200';
  const answer = admit(admission);
  const [status, , error] = answer;
  if (status !== 401 && status !== 403) return written(method, answer);
  const challenge = [
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(admission.scopes.length > 0 ? [`scope="${admission.scopes.join(' ')}"`] : []),
    `resource_metadata="${METADATA}"`,
  ];
  return [written(method, answer), ...challenge].join(' ');
}

/** Answers to HEAD have no body that could say a code. */
function written(method: string, [status, code]: Answer): string {
  return code === undefined || method === 'HEAD' ? String(status) : `${status} ${code}`;
}

/** Spaces hold the data of both environments: test only reads them. */
function isSharedWithLive(method: string, path: string): boolean {
  return path.startsWith('/spaces') && method.startsWith('P');
}

/** A live key manages test keys too, as the less; spaces are of both environments. */
function isReached(path: string, environment: Environment, owner: Owner): boolean {
  if (owner !== 'other environment') return owner === 'own';
  if (path.startsWith('/spaces')) return true;
  return path.startsWith('/api-keys') && environment === 'live';
}
