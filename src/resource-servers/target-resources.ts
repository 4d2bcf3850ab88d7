import type { EntityManager } from 'typeorm';

import { canonicalResource, findResource } from '../http/resource-uri.js';
import type { Scope } from '../scopes/catalog.js';

/** A resource server, as far as authorization needs it. */
export interface TargetServer {
  readonly id: string;
  readonly identifier: string;
  readonly name: string;
  /** `null` for all. */
  readonly scopes: readonly Scope[] | null;
  /** Whether the client may get tokens for it. */
  readonly admitsClient: boolean;
}

/** The resources that tokens can be for (RFC 8707): this server's own, and registered resource servers. */
export interface Resources {
  /** This server's own. The first is the default. */
  readonly own: readonly [string, ...string[]];
  /**
   * The registered servers among some resource indicators, in any spelling.
   *
   * @param clientId the client that asks for tokens
   */
  serversAmong(indicators: readonly string[], clientId: string): Promise<readonly TargetServer[]>;
  /** This server's own resources, and the identifiers of the registered servers among some indicators. */
  servedAmong(indicators: readonly string[]): Promise<readonly string[]>;
}

const MAX_INDICATORS = 50;

/** @param manager the manager of the current transaction, if there is one */
export function createResources(own: Resources['own'], manager: () => EntityManager): Resources {
  const serversAmong: Resources['serversAmong'] = async (indicators, clientId) => {
    const others = indicators.filter((text) => findResource(own, text) === undefined);
    const canonical = new Set(others.slice(0, MAX_INDICATORS).map(canonicalResource));
    canonical.delete(undefined);
    if (canonical.size === 0) return [];
    return manager().query<TargetServer[]>(
      `SELECT r.id, r.identifier, r.name, r.scopes,
         (r.dynamic_clients OR EXISTS (SELECT FROM clients c WHERE c.id = $2 AND c.is_verified))
           AS "admitsClient"
       FROM resource_servers r WHERE r.canonical = ANY ($1) ORDER BY r.id`,
      [[...canonical], clientId],
    );
  };
  return {
    own,
    serversAmong,
    async servedAmong(indicators) {
      const servers = await serversAmong(indicators, '');
      return [...own, ...servers.map(({ identifier }) => identifier)];
    },
  };
}
