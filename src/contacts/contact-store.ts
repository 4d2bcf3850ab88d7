import { IsNull, LessThan, type EntityManager } from 'typeorm';

import type { Environment } from '../credentials/kinds.js';
import type { PageRequest } from '../http/pagination.js';
import { Contact } from './contact.entity.js';

/** Where contacts live: nobody reaches across any of the three. */
export interface ContactPlace {
  readonly tenantId: string;
  readonly environment: Environment;
  readonly spaceId: string;
}

/** What a client can set. */
export type ContactFields = Pick<
  Contact,
  'firstName' | 'lastName' | 'companyName' | 'email' | 'phone' | 'type'
>;

export interface ContactStore {
  /** Newest first, up to one more than asked for. */
  list(place: ContactPlace, page: PageRequest): Promise<readonly Contact[]>;
  find(place: ContactPlace, id: number): Promise<Contact | undefined>;
  create(place: ContactPlace, fields: ContactFields): Promise<Contact>;
  /** @returns `undefined` if it is not there */
  update(
    place: ContactPlace,
    id: number,
    fields: Partial<ContactFields>,
  ): Promise<Contact | undefined>;
  /** @returns whether it was there */
  delete(place: ContactPlace, id: number): Promise<boolean>;
}

export function createContactStore(manager: EntityManager): ContactStore {
  const contacts = manager.getRepository(Contact);
  const one = ({ tenantId, environment, spaceId }: ContactPlace, id: number) => ({
    tenantId,
    environment,
    spaceId,
    id: String(id),
    deletedAt: IsNull(),
  });
  const find = async (place: ContactPlace, id: number) =>
    (await contacts.findOneBy(one(place, id))) ?? undefined;

  return {
    find,
    list: ({ tenantId, environment, spaceId }, { limit, after }) =>
      contacts.find({
        where: {
          tenantId,
          environment,
          spaceId,
          deletedAt: IsNull(),
          ...(after !== undefined && { id: LessThan(String(after)) }),
        },
        order: { id: 'DESC' },
        take: limit + 1,
      }),
    async create({ tenantId, environment, spaceId }, fields) {
      const inserted = await contacts.insert({ tenantId, environment, spaceId, ...fields });
      return contacts.findOneByOrFail({ id: String(inserted.identifiers[0]?.['id']) });
    },
    async update(place, id, fields) {
      await contacts
        .createQueryBuilder()
        .update()
        .set({ ...fields, updatedAt: () => 'gatehouse_now()' })
        .where(one(place, id))
        .execute();
      return find(place, id);
    },
    async delete(place, id) {
      const result = await contacts
        .createQueryBuilder()
        .update()
        .set({ deletedAt: () => 'gatehouse_now()' })
        .where(one(place, id))
        .execute();
      return result.affected === 1;
    },
  };
}
