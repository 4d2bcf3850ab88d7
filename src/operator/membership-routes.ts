import { z } from 'zod';

import {
  createDirectory,
  createMembershipService,
  findMembershipOf,
  type ListedMembership,
  listMembershipsOf,
  type MembershipOwner,
} from '../accounts/index.js';
import { createConsentStore } from '../grants/index.js';
import { dataOf, pageOf, time } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { text } from '../http/validation.js';
import { ROLES } from '../scopes/roles.js';
import { tenantIdOf, wrongSelection } from './named-tenant.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';
import { idOf } from './tenant-routes.js';

const PATH = '/operator/memberships';
const access = { operator: 'accounts:manage' } as const;
const MAX_ID = 100;

const membershipAnswer = z.strictObject({
  id: z.string(),
  accountId: z.string(),
  tenantId: z.string(),
  email: z.string(),
  name: z.string().nullable(),
  // A role that left the catalogue keeps its name.
  role: z.string(),
  createdAt: time,
});
const answer = dataOf(membershipAnswer);
const role = z.enum(ROLES);
/** `tenantId` is an id or a slug. */
export const newMembership = z.strictObject({ tenantId: z.string(), role });

/** `/operator/memberships`: an id is that of the account and the id or slug of the tenant, `usr_…@tnt_…`. */
export function createMembershipRoutes({ pagination }: RouteDependencies): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List the memberships of an account, or in a tenant',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend({
        accountId: text(MAX_ID).optional(),
        tenantId: z.string().optional(),
      }),
      answers: { 200: pageOf(membershipAnswer) },
      async handle(ctx, { query: { limit, cursor, ...given } }) {
        const owner = await ownerOf(ctx, given);
        const list = ['operator-memberships', JSON.stringify(owner)];
        const request = pagination.readText({ limit, cursor }, list);
        const found = await listMembershipsOf(ctx.state.manager, owner, request);
        const positionOf = ({ accountId, tenantId }: ListedMembership) =>
          'accountId' in owner ? tenantId : accountId;
        sendPage(ctx, pagination.pageText(found, request, list, positionOf), (item) => item);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Make an account a member of a tenant',
      access,
      cost: COST.change,
      body: newMembership.extend({ accountId: text(MAX_ID) }),
      answers: { 201: answer },
      async handle(ctx, { body }) {
        const { manager, actor } = ctx.state;
        const tenantId = await tenantIdOf(ctx, body.tenantId);
        const account = await createDirectory(manager).find(body.accountId);
        await membershipsIn(ctx).add({ tenantId, actor }, account, body.role);
        sendData(ctx, await get(ctx, account.id, tenantId), 201);
      },
    }),
    ...createItemRoutes(),
  ];
}

function createItemRoutes(): OperatorRoute[] {
  return [
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show a membership',
      access,
      cost: COST.read,
      answers: { 200: answer },
      async handle(ctx) {
        const [accountId, tenantId] = await partsOf(ctx);
        sendData(ctx, await get(ctx, accountId, tenantId));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change the role of a member',
      access,
      cost: COST.change,
      body: z.strictObject({ role }),
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const [accountId, tenantId] = await partsOf(ctx);
        const { actor } = ctx.state;
        await membershipsIn(ctx).changeRole({ tenantId, actor }, accountId, body.role);
        sendData(ctx, await get(ctx, accountId, tenantId));
      },
    }),
    operatorRoute({
      method: 'DELETE',
      path: `${PATH}/:id`,
      summary: 'End a membership, with everything that was issued under it',
      access,
      cost: COST.change,
      answers: { 204: null },
      async handle(ctx) {
        const [accountId, tenantId] = await partsOf(ctx);
        await membershipsIn(ctx).remove({ tenantId, actor: ctx.state.actor }, accountId);
        ctx.status = 204;
      },
    }),
  ];
}

export function membershipsIn({ state: { manager } }: OperatorContext) {
  return createMembershipService(manager, (transaction, ...which) =>
    createConsentStore(transaction).deleteOfMember(...which),
  );
}

async function get(
  { state: { manager } }: OperatorContext,
  accountId: string,
  tenantId: string,
): Promise<ListedMembership> {
  const found = await findMembershipOf(manager, accountId, tenantId);
  if (found === undefined) throw new Problem('not_found', 'Membership not found.');
  return found;
}

/** @throws Problem `validation_failed` unless one of both is given; `not_found` for an unknown tenant */
async function ownerOf(
  ctx: OperatorContext,
  {
    accountId,
    tenantId,
  }: { readonly accountId?: string | undefined; readonly tenantId?: string | undefined },
): Promise<MembershipOwner> {
  if (accountId !== undefined && tenantId === undefined) return { accountId };
  if (tenantId !== undefined && accountId === undefined) {
    return { tenantId: await tenantIdOf(ctx, tenantId) };
  }
  throw wrongSelection('tenantId', 'or accountId must be given, and not both');
}

/** @throws Problem `not_found` for more than two parts, or an unknown tenant */
async function partsOf(
  ctx: OperatorContext,
): Promise<readonly [accountId: string, tenantId: string]> {
  const [accountId = '', tenant = '', ...others] = idOf(ctx).split('@');
  if (others.length > 0) throw new Problem('not_found', 'Membership not found.');
  return [accountId, await tenantIdOf(ctx, tenant)];
}
