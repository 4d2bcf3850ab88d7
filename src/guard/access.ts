import { PRINCIPAL_KINDS, type PrincipalKind } from './types.js';

/** The access rule of a route. `Request` is that of the framework. */
export interface Access<Request> {
  /** The scopes that the credential needs, all of them. */
  readonly scopes: readonly string[];
  /** The kinds of principal that are admitted; all but `publishable` by default, because publishable keys are public. */
  readonly principals?: readonly PrincipalKind[];
  /** Names the space of a request; by default the header `X-<Brand>-Space`. */
  readonly space?: (request: Request) => string | undefined;
  /**
   * The type of resource that credentials can be bound to, and the id of the one that a request names; by default the
   * path parameter `id`. A bound credential does not reach a request that names none.
   */
  readonly resource?: {
    readonly type: string;
    readonly id?: (request: Request) => string | undefined;
  };
  /** Units of the credential's budgets: by default 1 for reads and 5 for changes. 0 leaves them alone. */
  readonly cost?: number;
}

const NAMES: ReadonlySet<string> = new Set(['scopes', 'principals', 'space', 'resource', 'cost']);
const ADMITTED = PRINCIPAL_KINDS.filter((kind) => kind !== 'publishable');
const MAX_COST = 10_000;

/**
 * Checks an access rule when a route is declared. A misspelt member would open the route.
 * @throws TypeError
 */
export function readAccess<Request>(
  access: Access<Request>,
): Access<Request> & Required<Pick<Access<Request>, 'principals'>> {
  for (const name of Object.keys(access)) {
    if (!NAMES.has(name)) throw new TypeError(`${name} is not a member of an access rule`);
  }
  const { scopes, principals = ADMITTED, space, resource, cost } = access;
  if (!isListOf(scopes, /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/)) {
    throw new TypeError('scopes must be a list of scopes');
  }
  const kinds: readonly unknown[] = PRINCIPAL_KINDS;
  if (!Array.isArray(principals) || !principals.every((kind) => kinds.includes(kind))) {
    throw new TypeError(`principals must be some of ${PRINCIPAL_KINDS.join(', ')}`);
  }
  if (space !== undefined && typeof space !== 'function') {
    throw new TypeError('space must be a function of the request');
  }
  if (resource !== undefined && !isResource(resource)) {
    throw new TypeError('resource must have a type such as "contacts"');
  }
  const isCost = cost === undefined || (Number.isInteger(cost) && cost >= 0 && cost <= MAX_COST);
  if (!isCost) throw new TypeError(`cost must be an integer between 0 and ${MAX_COST}`);
  // Kinds are counted later: one that is named five times is not all five.
  return { ...access, scopes: [...scopes], principals: [...new Set(principals)] };
}

function isListOf(value: unknown, form: RegExp): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && form.test(item));
}

function isResource({ type, id }: { readonly type: unknown; readonly id?: unknown }): boolean {
  const isType = typeof type === 'string' && type.length > 0 && type.length <= 128;
  return isType && (id === undefined || typeof id === 'function');
}
