import type { Middleware } from 'koa';

import { nearestTo } from './errors/nearest.js';
import type { FieldError } from './errors/problem.js';
import type { RequestState } from './context.js';
import { invalid } from './validation.js';

/** Bounds the answer, which must not cost more than the request. */
const MAX_ERRORS = 50;
const MAX_NAME_LENGTH = 100;

/** The parameter whose members can be named, as in `metadata[plan]=pro`. */
const WITH_MEMBERS = 'metadata';
const MEMBER = new RegExp(`^${WITH_MEMBERS}\\[(?!__proto__\\])([\\w.:-]{1,100})\\]$`);

/** The query of most pages. */
export const LIMIT_ALONE = /^limit=\d{1,3}$/;

/**
 * Makes the middleware that refuses unknown query parameters. Ignoring one would look as if it took effect.
 *
 * @param known the parameters that the route reads, each at most once
 * @throws Problem `validation_failed` with `unknown_member` or `repeated_member` for each other parameter
 */
export function createQueryCheck<State extends RequestState>(
  known: readonly string[],
): Middleware<State> {
  const takesLimit = known.includes('limit');
  return (ctx, next) => {
    const { querystring } = ctx.request;
    // perf: nothing to parse in the query of most pages.
    if (querystring !== '' && !(takesLimit && LIMIT_ALONE.test(querystring))) {
      const errors = faultsIn(new URLSearchParams(querystring), known);
      if (errors.length > 0) throw invalid(errors);
    }
    return next();
  };
}

/** The parameters as an object, with those that name members of one in an object of their own. */
export function readParameters(querystring: string): Readonly<Record<string, unknown>> {
  const members: [string, string][] = [];
  const plain = [...new URLSearchParams(querystring)].filter(([name, value]) => {
    const [, member] = MEMBER.exec(name) ?? [];
    if (member !== undefined) members.push([member, value]);
    return member === undefined;
  });
  const nested = members.length === 0 ? {} : { [WITH_MEMBERS]: Object.fromEntries(members) };
  return { ...Object.fromEntries(plain), ...nested };
}

/** Whether a parameter is one of these, or a member of one. */
function isKnown(name: string, known: readonly string[]): boolean {
  return known.includes(name) || (known.includes(WITH_MEMBERS) && MEMBER.test(name));
}

function faultsIn(search: URLSearchParams, known: readonly string[]): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Map<string, number>();
  for (const name of search.keys()) {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    if (errors.length >= MAX_ERRORS) return errors;
    const field = name.slice(0, MAX_NAME_LENGTH) || '(without a name)';
    if (!isKnown(name, known)) {
      if (times === 1)
        errors.push({ field, code: 'unknown_member', message: unknown(name, known) });
    } else if (times === 2) {
      errors.push({ field, code: 'repeated_member', message: 'is given more than once' });
    }
  }
  return errors;
}

function unknown(name: string, known: readonly string[]): string {
  const near = nearestTo(name, known);
  const message = 'is not a parameter of this path';
  return near === undefined ? message : `${message}: did you mean ${near}?`;
}
