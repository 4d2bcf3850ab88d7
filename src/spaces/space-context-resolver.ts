import type { GuardedState, Lookup, LookupQueries, Principal } from '../credentials/index.js';
import { isId } from '../db/id.js';
import { ownText } from '../db/own-text.js';
import type { RouteContext } from '../http/context.js';
import { Problem, serviceUnavailable } from '../http/errors/problem.js';
import type { SpaceContext } from './space-context.js';

type SpaceQuery = 'spaces' | 'default_spaces';

/** Batched lookups of spaces. Ids need no quoting in an array literal. */
export const SPACE_QUERIES: LookupQueries<SpaceQuery> = {
  spaces: (ids) => `SELECT id, NULL, tenant_id FROM spaces WHERE id = ANY (${ids}::text[])`,
  default_spaces: (ids) =>
    `SELECT tenant_id, NULL, id FROM spaces WHERE tenant_id = ANY (${ids}::text[]) AND is_default`,
};

type SpaceRouteContext = RouteContext<GuardedState>;

/** Resolves the context of requests to resources whose rows belong to spaces. */
export interface SpaceContextResolver {
  /**
   * The context of a request: the credential's tenant and environment, and the space that the request names. Without one,
   * a publishable key that is restricted to one space acts in that space, and other credentials in the default space.
   *
   * @throws Problem `not_found` for an unknown space, `forbidden` for a space that the credential may not enter,
   *   `bad_request` for an invalid header
   */
  resolve(ctx: SpaceRouteContext): Promise<SpaceContext>;
  /** As `resolve`, for a space that is named otherwise. @param named its id, as sent */
  enter(principal: Principal, named: string): Promise<SpaceContext>;
}

interface Dependencies {
  readonly lookup: Lookup<SpaceQuery>;
  /** The header that names a space. */
  readonly header: string;
}

export function createSpaceContextResolver({ lookup, header }: Dependencies): SpaceContextResolver {
  const spaceIds = createSpaceLookup(lookup);
  async function contextOf(
    { tenantId, environment, spaces }: Principal,
    named: string | undefined,
  ): Promise<SpaceContext> {
    const spaceId = await (named === undefined
      ? spaceIds.findDefault(tenantId)
      : spaceIds.find(tenantId, named));
    if (spaceId === undefined) throw new Problem('not_found', 'Space not found.');
    if (spaces !== null && !spaces.includes(spaceId)) {
      const which = named === undefined ? "the tenant's default space" : 'this space';
      throw new Problem(
        'forbidden',
        `The credential may not enter ${which}. Name one that it may enter in the header ${header}.`,
      );
    }
    return { tenantId, environment, spaceId };
  }
  const resolve = async (ctx: SpaceRouteContext): Promise<SpaceContext> => {
    const { principal } = ctx.state;
    const lines = ctx.req.headersDistinct[header.toLowerCase()];
    return contextOf(principal, namedSpace(lines, header) ?? onlySpaceOf(principal));
  };

  return {
    resolve,
    enter: async (principal, named) => contextOf(principal, namedSpace([named], header)),
  };
}

/**
 * A cross-origin page may send a publishable key and no other header, so a key that is restricted to one space acts there
 * without `X-Bwp-Space`.
 */
function onlySpaceOf({ principalKind, spaces }: Principal): string | undefined {
  return principalKind === 'publishable' && spaces?.length === 1 ? spaces[0] : undefined;
}

/** @returns `undefined` if the request names no space */
function namedSpace(lines: readonly string[] | undefined, header: string): string | undefined {
  if (lines === undefined) return undefined;
  const [id = '', ...more] = lines;
  if (more.length === 0 && isId('spc', id)) return id;
  throw new Problem('bad_request', `${header} must name one space, by its id (spc_…).`);
}

/** Finds the id of a space; throws Problem `service_unavailable`. */
interface SpaceLookup {
  find(tenantId: string, id: string): Promise<string | undefined>;
  findDefault(tenantId: string): Promise<string | undefined>;
}

/** Some 100 bytes each. */
const MAX_REMEMBERED = 10_000;

function createSpaceLookup(lookup: Lookup<SpaceQuery>): SpaceLookup {
  const find = async (query: SpaceQuery, id: string) => {
    try {
      return (await lookup.find(query, [id]))?.[2];
    } catch (error) {
      throw serviceUnavailable(error);
    }
  };
  // A tenant is created with its default space, and keeps it: nothing makes another one the default.
  const defaults = new Map<string, string>();
  return {
    find: async (tenantId, id) => ((await find('spaces', id)) === tenantId ? id : undefined),
    async findDefault(tenantId) {
      const known = defaults.get(tenantId);
      if (known !== undefined) return known;
      const id = await find('default_spaces', tenantId);
      if (id === undefined) return undefined;
      if (defaults.size >= MAX_REMEMBERED) defaults.clear();
      defaults.set(ownText(tenantId), ownText(id));
      return id;
    },
  };
}
