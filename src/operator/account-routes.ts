import { z } from 'zod';

import {
  accountAnswer,
  accountChange,
  accountPassword,
  createDirectory,
  HashingBusy,
  hashPassword,
  mirroredAccount,
  newAccount,
  presentAccount,
  replacePassword,
} from '../accounts/index.js';
import { boundedList } from '../http/body/bounded.js';
import { annotationQuery, namesOfFilter } from '../http/annotations.js';
import { dataOf, pageOf } from '../http/answers.js';
import { sendData, sendPage } from '../http/envelope.js';
import { Problem } from '../http/errors/problem.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { COST } from '../http/route-declaration.js';
import { text } from '../http/validation.js';
import { createSessionStore } from '../sessions/index.js';
import { membershipsIn, newMembership } from './membership-routes.js';
import { tenantIdOf } from './named-tenant.js';
import { type OperatorContext, operatorRoute, type OperatorRoute } from './operator-guard.js';
import type { RouteDependencies } from './route-dependencies.js';
import { externalIdOf, idOf } from './tenant-routes.js';

const PATH = '/operator/accounts';
const MAX_EMAIL = 254;
const MAX_NEW_MEMBERSHIPS = 10;
const access = { operator: 'accounts:manage' } as const;
const answer = dataOf(accountAnswer);

/** A new account, at once a member of tenants. */
const newMember = newAccount.extend({
  memberships: boundedList(MAX_NEW_MEMBERSHIPS, newMembership).default([]),
});

const directoryOf = ({ state }: OperatorContext) => createDirectory(state.manager);

/** `/operator/accounts` */
export function createAccountRoutes(dependencies: RouteDependencies): OperatorRoute[] {
  const { pagination } = dependencies;
  const hash = createHash(dependencies);
  return [
    operatorRoute({
      method: 'GET',
      path: PATH,
      summary: 'List all accounts, newest first',
      access,
      cost: COST.read,
      query: PAGE_QUERY.extend(annotationQuery).extend({
        email: text(MAX_EMAIL).optional(),
      }),
      answers: { 200: pageOf(accountAnswer) },
      async handle(ctx, { query: { limit, cursor, ...filter } }) {
        const list = ['operator-accounts', filter.email ?? '', ...namesOfFilter(filter)];
        const request = pagination.readText({ limit, cursor }, list);
        const { found, resumeAfter } = await directoryOf(ctx).list(request, filter);
        const page = pagination.pageText(found, request, list, ({ id }) => id, resumeAfter);
        sendPage(ctx, page, presentAccount);
      },
    }),
    operatorRoute({
      method: 'POST',
      path: PATH,
      summary: 'Create an account',
      access,
      cost: COST.change,
      body: newMember,
      answers: { 201: answer },
      async prepareBody({ state }, { password }) {
        if (password !== undefined) state.passwordHash = await hash(password);
      },
      async handle(ctx, { body: { password: _password, memberships, ...fields } }) {
        const { actor, passwordHash } = ctx.state;
        const account = await directoryOf(ctx).create(actor, fields, passwordHash);
        for (const { tenantId, role } of memberships) {
          const which = { tenantId: await tenantIdOf(ctx, tenantId), actor };
          await membershipsIn(ctx).add(which, account, role);
        }
        sendData(ctx, presentAccount(account), 201);
      },
    }),
    ...createItemRoutes(dependencies, hash),
  ];
}

const mirrorRoute = operatorRoute({
  method: 'PUT',
  path: `${PATH}/by-external-id/:externalId`,
  summary: 'Create or update the account with an external id',
  access,
  cost: COST.change,
  body: mirroredAccount,
  answers: { 200: answer, 201: answer },
  async handle(ctx, { body }) {
    const result = await directoryOf(ctx).mirror(ctx.state.actor, externalIdOf(ctx), body);
    sendData(ctx, presentAccount(result.account), result.isNew ? 201 : 200);
  },
});

function createItemRoutes(
  { keyring }: RouteDependencies,
  hash: (password: string) => Promise<string>,
): OperatorRoute[] {
  return [
    mirrorRoute,
    operatorRoute({
      method: 'GET',
      path: `${PATH}/:id`,
      summary: 'Show an account',
      access,
      cost: COST.read,
      answers: { 200: answer },
      async handle(ctx) {
        sendData(ctx, presentAccount(await directoryOf(ctx).find(idOf(ctx))));
      },
    }),
    operatorRoute({
      method: 'PATCH',
      path: `${PATH}/:id`,
      summary: 'Change members of an account',
      access,
      cost: COST.change,
      body: accountChange,
      answers: { 200: answer },
      async handle(ctx, { body }) {
        const account = await directoryOf(ctx).update(ctx.state.actor, idOf(ctx), body);
        sendData(ctx, presentAccount(account));
      },
    }),
    operatorRoute({
      method: 'POST',
      path: `${PATH}/:id/password`,
      summary: 'Replace the password of an account and end its sessions',
      access,
      cost: COST.change,
      body: accountPassword,
      answers: { 200: dataOf(z.strictObject({ id: z.string(), endedSessions: z.int() })) },
      async prepareBody({ state }, { password }) {
        state.passwordHash = await hash(password);
      },
      async handle(ctx) {
        const { manager, actor, passwordHash } = ctx.state;
        if (passwordHash === undefined) throw new Error('the password was not hashed');
        const { id } = await directoryOf(ctx).find(idOf(ctx));
        const sessions = createSessionStore(manager, keyring);
        const replaced = await replacePassword(
          manager,
          (_, ...which) => sessions.endAllOf(...which),
          actor,
          { accountId: id, passwordHash, by: 'operator' },
        );
        sendData(ctx, { id, endedSessions: replaced?.endedSessions ?? 0 });
      },
    }),
  ];
}

/** @returns hashes a password; throws Problem `service_unavailable` if too many wait */
function createHash({ hashing }: Pick<RouteDependencies, 'hashing'>) {
  return async (password: string): Promise<string> => {
    try {
      return await hashing.run('unknown', () => hashPassword(password));
    } catch (error) {
      if (!(error instanceof HashingBusy)) throw error;
      throw new Problem('service_unavailable', 'Too many passwords are being set. Try again.', {
        headers: { 'Retry-After': '1' },
      });
    }
  };
}
