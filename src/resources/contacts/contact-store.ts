import type { EntityManager } from 'typeorm';

import { selection } from '../../db/packed-rows.js';
import { prepared } from '../../db/prepared.js';
import type { PageRequest } from '../../http/pagination.js';
import { endOf, startOf } from '../../http/time-range.js';
import type { SpaceContext } from '../../spaces/index.js';
import {
  findInSpace,
  listInSpace,
  runReturning,
  type Condition,
  type Found,
  type SpaceTable,
} from '../../db/space-rows.js';
import type { ContactFilters } from './contact-filters.js';
import type { Contact, ContactFields } from './contact.js';

export interface ContactStore {
  list(context: SpaceContext, page: PageRequest, filters?: ContactFilters): Promise<Found>;
  find(context: SpaceContext, id: number): Promise<Contact | undefined>;
  create(context: SpaceContext, fields: ContactFields): Promise<Contact>;
  /** @returns `undefined` if it does not exist */
  update(
    context: SpaceContext,
    id: number,
    fields: Partial<ContactFields>,
  ): Promise<Contact | undefined>;
  /** Soft delete: the row stays, and no query returns it. @returns whether it existed */
  delete(context: SpaceContext, id: number): Promise<boolean>;
}

const CONTACTS: SpaceTable = {
  name: 'contacts',
  columns: [
    { member: 'id', name: 'id', type: 'id' },
    { member: 'firstName', name: 'first_name', type: 'text' },
    { member: 'lastName', name: 'last_name', type: 'text' },
    { member: 'companyName', name: 'company_name', type: 'text' },
    { member: 'email', name: 'email', type: 'text' },
    { member: 'phone', name: 'phone', type: 'text' },
    { member: 'type', name: 'type', type: 'text' },
    { member: 'createdAt', name: 'created_at', type: 'time' },
    { member: 'updatedAt', name: 'updated_at', type: 'time' },
  ],
};
const RETURNING = `RETURNING ${selection(CONTACTS.columns)}`;

const CREATE = {
  name: 'create-contact',
  text: `INSERT INTO contacts (tenant_id, environment, space_id, first_name, last_name,
      company_name, email, phone, type)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ${RETURNING}`,
};

const UPDATE = {
  name: 'update-contact',
  text: `UPDATE contacts SET
      ${[
        ['first_name', 'firstName'],
        ['last_name', 'lastName'],
        ['company_name', 'companyName'],
        ['email', 'email'],
        ['phone', 'phone'],
        ['type', 'type'],
      ]
        .map(([column, member]) => {
          const given = `$5::jsonb ? '${member}'`;
          return `${column} = CASE WHEN ${given} THEN $5::jsonb ->> '${member}' ELSE ${column} END`;
        })
        .join(', ')},
      updated_at = gatehouse_now()
    WHERE tenant_id = $1 AND environment = $2 AND space_id = $3 AND id = $4 AND deleted_at IS NULL
    ${RETURNING}`,
};

const DELETE = {
  name: 'delete-contact',
  text: `UPDATE contacts SET deleted_at = gatehouse_now()
    WHERE tenant_id = $1 AND environment = $2 AND space_id = $3 AND id = $4 AND deleted_at IS NULL
    RETURNING id`,
};

export function createContactStore(manager: EntityManager): ContactStore {
  const run = prepared(manager);
  return {
    find: (context, id) => findInSpace<Contact>(manager, CONTACTS, context, id),
    list: (context, page, filters = {}) =>
      listInSpace(manager, CONTACTS, context, { ...page, ...conditionsOf(filters) }),
    async create({ tenantId, environment, spaceId }, fields) {
      const { firstName, lastName, companyName, email, phone, type } = fields;
      const owner = [tenantId, environment, spaceId];
      const values = [...owner, firstName, lastName, companyName, email, phone, type];
      const [created] = await runReturning<Contact>(manager, CONTACTS, CREATE, values);
      return created as Contact;
    },
    async update({ tenantId, environment, spaceId }, id, fields) {
      const values = [tenantId, environment, spaceId, id, JSON.stringify(fields)];
      const [updated] = await runReturning<Contact>(manager, CONTACTS, UPDATE, values);
      return updated;
    },
    async delete({ tenantId, environment, spaceId }, id) {
      return (await run(DELETE, [tenantId, environment, spaceId, id])).length === 1;
    },
  };
}

function conditionsOf({ type, search, dateFrom, dateTo }: ContactFilters) {
  const indexed: Condition[] = [];
  if (type !== undefined) {
    indexed.push({ name: 'type', sql: (wanted) => `type = ${wanted}`, type: 'text', value: type });
  }
  if (dateFrom !== undefined) {
    const value = startOf(dateFrom);
    indexed.push({
      name: 'from',
      sql: (from) => `created_at >= ${from}`,
      type: 'timestamptz',
      value,
    });
  }
  if (dateTo !== undefined) {
    const value = endOf(dateTo);
    indexed.push({ name: 'to', sql: (end) => `created_at < ${end}`, type: 'timestamptz', value });
  }
  const scanned: Condition | undefined =
    search === undefined
      ? undefined
      : {
          name: 'search',
          type: 'text',
          sql: (pattern) =>
            `concat_ws(' ', first_name, last_name, company_name, email) ILIKE ${pattern}`,
          value: `%${search.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`,
        };
  return { indexed, scanned };
}
