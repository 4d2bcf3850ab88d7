import type { EntityManager } from 'typeorm';

import { type Access, createCredentialStore, type GuardedState } from '../credentials/index.js';
import { reachableFrom, type Environment } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import { sendData } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import type { Route } from '../http/routes.js';
import { parseWith } from '../http/validation.js';
import { createUsageHistory, sumOf, totalOf, type UsagePoint } from './usage-history.js';
import { usageParameters, usageRangeOf } from './usage-range.js';

/** The part of the tenant that a caller sees. */
interface Visible {
  readonly tenantId: string;
  readonly environment: Environment;
  /** `null` for all of the tenant's. */
  readonly spaces: readonly string[] | null;
}

/** `/usage/history`: the answers to the requests of the caller's tenant, or of one of its keys, by hour or day. */
export function createUsageHistoryRoutes(): Route<Access, GuardedState>[] {
  return [
    {
      method: 'GET',
      path: '/usage/history',
      access: {
        scopes: ['audit:read'],
        principals: ['tenant', 'user', 'service', 'agent'],
        sessions: true,
      },
      query: Object.keys(usageParameters.shape),
      async handle(ctx) {
        const { manager, principal } = ctx.state;
        const search = new URLSearchParams(ctx.querystring);
        const { key, ...given } = parseWith(usageParameters, Object.fromEntries(search));
        const range = usageRangeOf(given);
        const environment = await environmentOf(manager, principal, key);
        const owner = { tenantId: principal.tenantId, environment };
        const points = await createUsageHistory(manager).read(owner, key, range);
        const total = sumOf(points);
        sendData(ctx, {
          key: key ?? null,
          environment,
          per: range.per,
          from: new Date(range.from).toISOString(),
          to: new Date(range.to).toISOString(),
          total: totalOf(total),
          answers: total,
          points: points.map(presentPoint),
        });
      },
    },
  ];
}

function presentPoint({ start, answers }: UsagePoint) {
  return { start: start.toISOString(), total: totalOf(answers), answers };
}

/**
 * The environment of a key, or the caller's own. Apps act in the caller's.
 * @throws Problem `not_found` for a key of another tenant, or one outside of the caller's environment and spaces
 */
async function environmentOf(
  manager: EntityManager,
  { tenantId, environment, spaces }: Visible,
  id: string | undefined,
): Promise<Environment> {
  if (id === undefined || id.startsWith('cli_')) return environment;
  const key = isId('key', id) ? await createCredentialStore(manager).find(tenantId, id) : undefined;
  const isVisible =
    key !== undefined &&
    reachableFrom(environment).includes(key.environment) &&
    (spaces === null || key.spaces?.every((space) => spaces.includes(space)) === true);
  if (!isVisible) throw new Problem('not_found', 'Key not found.');
  return key.environment;
}
