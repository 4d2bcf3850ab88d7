import { ANY_PRINCIPAL } from '../credentials/index.js';
import type { PrincipalKind } from '../credentials/kinds.js';
import type { Problem } from '../http/errors/problem.js';
import { invalid } from '../http/validation.js';
import { isScope, type Scope } from '../scopes/catalog.js';

/** Requirements of a gateway for the credentials that it admits. */
export interface ForwardQuery {
  readonly scopes: readonly Scope[];
  readonly principals: readonly PrincipalKind[];
  /** The audience, as sent; this server's API by default. */
  readonly resource: string | undefined;
  readonly space: string | undefined;
  /** The status of an answer for a spent budget. */
  readonly limitStatus: 403 | 429;
}

const NAMES = ['scope', 'resource', 'space', 'principals', 'limit_status'] as const;

/**
 * Reads the query of a gateway's request. An unknown parameter is refused: a gateway that passes its client's query on
 * would let the client choose the rule.
 *
 * @throws Problem `validation_failed`
 */
export function readForwardQuery(querystring: string): ForwardQuery {
  const search = new URLSearchParams(querystring);
  for (const name of search.keys()) {
    const known: readonly string[] = NAMES;
    if (!known.includes(name)) throw fault(name, 'unknown_member', 'is not known here');
    if (search.getAll(name).length > 1) throw fault(name, 'invalid_format', 'is given twice');
  }
  const limitStatus = search.get('limit_status') ?? '429';
  if (limitStatus !== '403' && limitStatus !== '429') {
    throw fault('limit_status', 'invalid_enum', 'must be 403 or 429');
  }
  return {
    scopes: wordsOf(search, 'scope', isScope) ?? [],
    principals: wordsOf(search, 'principals', isPrincipalKind) ?? ANY_PRINCIPAL,
    resource: search.get('resource') ?? undefined,
    space: search.get('space') ?? undefined,
    limitStatus: limitStatus === '403' ? 403 : 429,
  };
}

function fault(field: string, code: string, message: string): Problem {
  return invalid([{ field, code, message }]);
}

function isPrincipalKind(text: string): text is PrincipalKind {
  return (ANY_PRINCIPAL as readonly string[]).includes(text);
}

/** @returns the words of a parameter, separated by spaces or commas; `undefined` if it is absent */
function wordsOf<Word extends string>(
  search: URLSearchParams,
  name: (typeof NAMES)[number],
  isKnown: (text: string) => text is Word,
): readonly Word[] | undefined {
  const text = search.get(name);
  if (text === null) return undefined;
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  const known = words.filter(isKnown);
  if (words.length === 0 || known.length < words.length) {
    throw fault(name, 'invalid_enum', 'must name known words, separated by spaces');
  }
  return known;
}
