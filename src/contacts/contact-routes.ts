import { z } from 'zod';

import { ANY_PRINCIPAL, type Access, type GuardedState } from '../credentials/guard.js';
import type { Principal } from '../credentials/principal.js';
import { readJson } from '../http/body.js';
import type { RouteContext } from '../http/context.js';
import { sendData, sendPage } from '../http/envelope.js';
import type { Pagination } from '../http/pagination.js';
import { Problem } from '../http/problem.js';
import type { Route } from '../http/routes.js';
import { text } from '../http/validation.js';
import { CONTACT_TYPES, type Contact } from './contact.entity.js';
import { createContactStore, type ContactFields, type ContactPlace } from './contact-store.js';

type ContactContext = RouteContext<GuardedState>;

interface Dependencies {
  readonly pagination: Pagination;
  /** The space that a request acts in; throws the Problem if it may not. */
  readonly resolveSpace: (ctx: ContactContext, principal: Principal) => Promise<string>;
}

const PRINCIPALS = ANY_PRINCIPAL.filter((kind) => kind !== 'publishable');

const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullable().default(null);

const newContact = z.strictObject({
  firstName: optional(text(200)),
  lastName: optional(text(200)),
  companyName: optional(text(200)),
  email: optional(text(320).pipe(z.email())),
  phone: optional(text(50)),
  type: z.enum(CONTACT_TYPES),
});

/** The same members, all optional; `null` clears, absence leaves alone. */
const contactChange = z.strictObject({
  firstName: text(200).nullish(),
  lastName: text(200).nullish(),
  companyName: text(200).nullish(),
  email: text(320).pipe(z.email()).nullish(),
  phone: text(50).nullish(),
  type: z.enum(CONTACT_TYPES).optional(),
});

/** `/contacts`, the reference resource: what any other resource of the API looks like. */
export function createContactRoutes({
  pagination,
  resolveSpace,
}: Dependencies): Route<Access, GuardedState>[] {
  const placeOf = async (ctx: ContactContext): Promise<ContactPlace> => {
    const { principal } = ctx.state;
    const { tenantId, environment } = principal;
    return { tenantId, environment, spaceId: await resolveSpace(ctx, principal) };
  };
  const storeOf = (ctx: ContactContext) => createContactStore(ctx.state.manager);
  const access = (scope: 'contacts:read' | 'contacts:write' | 'contacts:delete') => ({
    all: { scopes: [scope], principals: PRINCIPALS, thing: { type: 'contacts' } },
    one: { scopes: [scope], principals: PRINCIPALS, thing: { type: 'contacts', parameter: 'id' } },
  });

  return [
    {
      method: 'GET',
      path: '/contacts',
      access: access('contacts:read').all,
      async handle(ctx) {
        const place = await placeOf(ctx);
        const list = ['contacts', place.tenantId, place.environment, place.spaceId];
        const request = pagination.read(new URLSearchParams(ctx.querystring), list);
        const found = await storeOf(ctx).list(place, request);
        sendPage(
          ctx,
          pagination.page(found, request, list, ({ id }) => Number(id)),
          present,
        );
      },
    },
    {
      method: 'POST',
      path: '/contacts',
      access: access('contacts:write').all,
      async handle(ctx) {
        const fields = readJson(ctx, newContact);
        sendData(ctx, present(await storeOf(ctx).create(await placeOf(ctx), fields)), 201);
      },
    },
    {
      method: 'GET',
      path: '/contacts/:id',
      access: access('contacts:read').one,
      async handle(ctx) {
        const contact = await storeOf(ctx).find(await placeOf(ctx), idOf(ctx));
        sendData(ctx, present(contact ?? notFound()));
      },
    },
    {
      method: 'PATCH',
      path: '/contacts/:id',
      access: access('contacts:write').one,
      async handle(ctx) {
        const id = idOf(ctx);
        const fields = given(readJson(ctx, contactChange));
        const contact = await storeOf(ctx).update(await placeOf(ctx), id, fields);
        sendData(ctx, present(contact ?? notFound()));
      },
    },
    {
      method: 'DELETE',
      path: '/contacts/:id',
      access: access('contacts:delete').one,
      async handle(ctx) {
        if (!(await storeOf(ctx).delete(await placeOf(ctx), idOf(ctx)))) notFound();
        ctx.status = 204;
      },
    },
  ];
}

function idOf(ctx: ContactContext): number {
  const id = ctx.params['id'] ?? '';
  return /^[1-9]\d{0,14}$/.test(id) ? Number(id) : notFound();
}

function notFound(): never {
  throw new Problem('not_found', 'There is no such contact.');
}

/** Drops members that were not sent. */
function given(change: z.output<typeof contactChange>): Partial<ContactFields> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

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
