import { type Challenge, createChallenge } from '../credentials/index.js';
import { ownText } from '../db/own-text.js';
import { findResource } from '../http/resource-uri.js';
import { parseUrl } from '../http/url.js';
import { readForwardQuery, type ForwardQuery } from './forward-query.js';

/** The rule of a gateway, as its query states it. */
export interface ForwardRule {
  readonly access: Pick<ForwardQuery, 'scopes' | 'principals'>;
  /** The audience; `undefined` for this server's API. */
  readonly resource: string | undefined;
  readonly space: string | undefined;
  readonly limitStatus: ForwardQuery['limitStatus'];
  readonly challenge: Challenge;
  /** The origin of the audience, for which proofs must be made; never that of the request's `Host`. */
  readonly origin: string;
}

interface Dependencies {
  readonly issuer: string;
  /** The resources that this server itself is. */
  readonly ownResources: readonly string[];
  readonly resourceMetadataUrl: string;
}

/** Rules that are kept. Gateways send a query for each of their routes. */
const MAX_KEPT = 100;
/** Rules of longer queries are not kept. */
const MAX_KEPT_LENGTH = 1000;

/**
 * Makes the function that reads the rule in a query. perf: rules are kept, since the queries of gateways repeat.
 *
 * @returns throws as `readForwardQuery` does
 */
export function createRuleReader(dependencies: Dependencies): (querystring: string) => ForwardRule {
  const known = new Map<string, ForwardRule>();
  return (querystring) => {
    const kept = known.get(querystring);
    if (kept !== undefined) return kept;
    if (querystring.length > MAX_KEPT_LENGTH) return readRule(querystring, dependencies);
    const own = ownText(querystring);
    const rule = readRule(own, dependencies);
    if (known.size >= MAX_KEPT) known.clear();
    known.set(own, rule);
    return rule;
  };
}

function readRule(
  querystring: string,
  { issuer, ownResources, resourceMetadataUrl }: Dependencies,
): ForwardRule {
  const { scopes, principals, resource, space, limitStatus } = readForwardQuery(querystring);
  const isOwn = resource === undefined || findResource(ownResources, resource) !== undefined;
  return {
    access: { scopes, principals },
    resource: isOwn ? undefined : resource,
    space,
    limitStatus,
    challenge: createChallenge(isOwn ? resourceMetadataUrl : undefined, scopes),
    origin: originOf(isOwn ? issuer : resource),
  };
}

/** The origin of an identifier; empty for one that has none, such as a URN. */
function originOf(identifier: string): string {
  const origin = parseUrl(identifier)?.origin ?? 'null';
  return origin === 'null' ? '' : origin;
}
