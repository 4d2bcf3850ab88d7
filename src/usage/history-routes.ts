import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { createCredentialStore, guardedRoute, type GuardedRoute } from '../credentials/index.js';
import { ENVIRONMENTS, reachableFrom, type Environment } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import { dataOf, time } from '../http/answers.js';
import { sendData } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { COST } from '../http/route-declaration.js';
import { createUsageHistory, sumOf, totalOf, type UsagePoint } from './usage-history.js';
import { SPAN_NAMES, usageParameters, usageRangeOf } from './usage-range.js';

const count = z.int().min(0);

const counts = z.strictObject({ '2xx': count, '4xx': count, '401/403': count, '429': count });

export const historyAnswer = z.strictObject({
  key: z.string().nullable(),
  environment: z.enum(ENVIRONMENTS),
  per: z.enum(SPAN_NAMES),
  from: time,
  to: time,
  total: count,
  answers: counts,
  points: z.array(z.strictObject({ start: time, total: count, answers: counts })),
});

/** The part of the tenant that a caller sees. */
interface Visible {
  readonly tenantId: string;
  readonly environment: Environment;
  /** `null` for all of the tenant's. */
  readonly spaces: readonly string[] | null;
}

/** `/usage/history`: the answers to the requests of the caller's tenant, or of one of its keys, by hour or day. */
export function createUsageHistoryRoutes(): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'GET',
      path: '/usage/history',
      access: {
        scopes: ['audit:read'],
        principals: ['tenant', 'user', 'service', 'agent'],
        sessions: true,
      },
      summary: 'Show how many requests were answered, by hour or day',
      cost: COST.read,
      query: usageParameters,
      answers: { 200: dataOf(historyAnswer) },
      async handle(ctx, { query: { key, ...given } }) {
        const { manager, principal } = ctx.state;
        const environment = await environmentOf(manager, principal, key);
        const owner = { tenantId: principal.tenantId, environment };
        sendData(ctx, await readHistory(manager, owner, key, given));
      },
    }),
  ];
}

/**
 * The answers to the requests of a tenant, or of one of its keys or apps, in one environment.
 * @throws Problem `validation_failed` for a range that cannot be answered
 */
export async function readHistory(
  manager: EntityManager,
  owner: Pick<Visible, 'tenantId' | 'environment'>,
  key: string | undefined,
  given: Parameters<typeof usageRangeOf>[0],
) {
  const range = usageRangeOf(given);
  const points = await createUsageHistory(manager).read(owner, key, range);
  const total = sumOf(points);
  return {
    key: key ?? null,
    environment: owner.environment,
    per: range.per,
    from: new Date(range.from).toISOString(),
    to: new Date(range.to).toISOString(),
    total: totalOf(total),
    answers: total,
    points: points.map(presentPoint),
  };
}

function presentPoint({ start, answers }: UsagePoint) {
  return { start: start.toISOString(), total: totalOf(answers), answers };
}

/**
 * The environment of a key, or the caller's own. Apps act in the caller's.
 * @throws Problem `not_found` for a key of another tenant, or one outside of the caller's environment and spaces
 */
export async function environmentOf(
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
