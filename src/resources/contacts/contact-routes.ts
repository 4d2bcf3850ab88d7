import { z } from 'zod';

import {
  type Access,
  ANY_PRINCIPAL,
  guardedRoute,
  type GuardedRoute,
  type GuardedState,
} from '../../credentials/index.js';
import { dataOf, time } from '../../http/answers.js';
import type { RouteContext } from '../../http/context.js';
import { sendData } from '../../http/envelope.js';
import { Problem } from '../../http/errors/problem.js';
import { readRowId } from '../../http/row-id.js';
import { COST } from '../../http/route-declaration.js';
import { optional, text } from '../../http/validation.js';
import { type Action, resourceScope } from '../../scopes/catalog.js';
import {
  createSpaceReadRoutes,
  type SpaceContextResolver,
  type SpaceReadDependencies,
} from '../../spaces/index.js';
import { contactFilters } from './contact-filters.js';
import { createContactStore } from './contact-store.js';
import { CONTACT_TYPES, type Contact, type ContactFields } from './contact.js';

type ContactContext = RouteContext<GuardedState>;

const PRINCIPALS = ANY_PRINCIPAL.filter((kind) => kind !== 'publishable');

const newContact = z.strictObject({
  firstName: optional(text(200)),
  lastName: optional(text(200)),
  companyName: optional(text(200)),
  email: optional(text(320).pipe(z.email())),
  phone: optional(text(50)),
  type: z.enum(CONTACT_TYPES),
});

/** The same members, all optional. `null` clears a member, absent ones are not changed. */
const contactChange = z.strictObject({
  firstName: text(200).nullish(),
  lastName: text(200).nullish(),
  companyName: text(200).nullish(),
  email: text(320).pipe(z.email()).nullish(),
  phone: text(50).nullish(),
  type: z.enum(CONTACT_TYPES).optional(),
});

const contactAnswer = z.strictObject({
  id: z.int(),
  firstName: z.string().nullable(),
  lastName: z.string().nullable(),
  companyName: z.string().nullable(),
  email: z.string().nullable(),
  phone: z.string().nullable(),
  type: z.enum(CONTACT_TYPES),
  createdAt: time,
  updatedAt: time,
});

/** Routes of an action; none if the catalogue lacks its scope. */
function routesOf(action: Action, create: (access: Access) => GuardedRoute[]): GuardedRoute[] {
  const scope = resourceScope('contacts', action);
  if (scope === undefined) return [];
  return create({ scopes: [scope], principals: PRINCIPALS, resource: 'contacts' });
}

/** `/contacts`, the reference resource of the API. */
export function createContactRoutes(dependencies: SpaceReadDependencies): GuardedRoute[] {
  const { spaceContext } = dependencies;
  return [
    ...routesOf('read', (access) =>
      createSpaceReadRoutes(dependencies, {
        path: '/contacts',
        nouns: ['contact', 'contacts'],
        access,
        storeOf: createContactStore,
        filters: contactFilters,
        answer: contactAnswer,
        present,
        notFound,
      }),
    ),
    ...routesOf('write', (access) => createChangeRoutes(spaceContext, access)),
    ...routesOf('delete', (access) => [createDeleteRoute(spaceContext, access)]),
  ];
}

const storeOf = (ctx: ContactContext) => createContactStore(ctx.state.manager);

function createChangeRoutes(spaceContext: SpaceContextResolver, access: Access): GuardedRoute[] {
  return [
    guardedRoute({
      method: 'POST',
      path: '/contacts',
      summary: 'Create a contact',
      access,
      cost: COST.change,
      body: newContact,
      answers: { 201: dataOf(contactAnswer) },
      async handle(ctx, { body }) {
        const contact = await storeOf(ctx).create(await spaceContext.resolve(ctx), body);
        sendData(ctx, present(contact), 201);
      },
    }),
    guardedRoute({
      method: 'PATCH',
      path: '/contacts/:id',
      summary: 'Change members of a contact',
      access,
      cost: COST.change,
      body: contactChange,
      answers: { 200: dataOf(contactAnswer) },
      async handle(ctx, { body }) {
        const id = idOf(ctx);
        const context = await spaceContext.resolve(ctx);
        const contact = await storeOf(ctx).update(context, id, given(body));
        sendData(ctx, present(contact ?? notFound()));
      },
    }),
  ];
}

function createDeleteRoute(spaceContext: SpaceContextResolver, access: Access): GuardedRoute {
  return guardedRoute({
    method: 'DELETE',
    path: '/contacts/:id',
    summary: 'Delete a contact',
    access,
    cost: COST.change,
    answers: { 204: null },
    async handle(ctx) {
      if (!(await storeOf(ctx).delete(await spaceContext.resolve(ctx), idOf(ctx)))) notFound();
      ctx.status = 204;
    },
  });
}

function idOf(ctx: ContactContext): number {
  return readRowId(ctx.params['id']) ?? notFound();
}

function notFound(): never {
  throw new Problem('not_found', 'Contact not found.');
}

/** Drops members that were not sent. */
function given(change: z.output<typeof contactChange>): Partial<ContactFields> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

/** Presents a contact. Lists are written with the same members (`CONTACTS` of the store). */
function present(contact: Contact) {
  return {
    id: Number(contact.id),
    firstName: contact.firstName,
    lastName: contact.lastName,
    companyName: contact.companyName,
    email: contact.email,
    phone: contact.phone,
    type: contact.type,
    createdAt: contact.createdAt,
    updatedAt: contact.updatedAt,
  };
}
