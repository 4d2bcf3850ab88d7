import { IsNull, LessThan, type EntityManager } from 'typeorm';

import type { PageRequest } from '../http/pagination.js';
import type { Place } from '../spaces/places.js';
import { Contact } from './contact.entity.js';

/** What a client can set. */
export type ContactFields = Pick<
  Contact,
  'firstName' | 'lastName' | 'companyName' | 'email' | 'phone' | 'type'
>;

export interface ContactStore {
  /** Newest first, up to one more than asked for. */
  list(place: Place, page: PageRequest): Promise<readonly Contact[]>;
  find(place: Place, id: number): Promise<Contact | undefined>;
  create(place: Place, fields: ContactFields): Promise<Contact>;
  /** @returns `undefined` if it is not there */
  update(place: Place, id: number, fields: Partial<ContactFields>): Promise<Contact | undefined>;
  /** @returns whether it was there */
  delete(place: Place, id: number): Promise<boolean>;
}

export function createContactStore(manager: EntityManager): ContactStore {
  const contacts = manager.getRepository(Contact);
  const one = ({ tenantId, environment, spaceId }: Place, id: number) => ({
    tenantId,
    environment,
    spaceId,
    id: String(id),
    deletedAt: IsNull(),
  });
  const find = async (place: Place, id: number) =>
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
