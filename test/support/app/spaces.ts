import { createSpaceStore } from '../../../src/spaces/space-store.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp, TestKey } from './app.js';

/** A further space of a tenant. */
export async function createSpace(
  { dataSource }: TestApp,
  tenant: Tenant,
  name: string,
): Promise<string> {
  const space = await dataSource.transaction((manager) =>
    createSpaceStore(manager).create(tenant.id, name),
  );
  if (typeof space === 'string') throw new Error(`no space ${name}: ${space}`);
  return space.id;
}

export async function defaultSpaceOf({ dataSource }: TestApp, { id }: Tenant): Promise<string> {
  return (await createSpaceStore(dataSource.manager).findDefault(id))?.id ?? '';
}

/** Confines a credential to some spaces. */
export async function confine(
  { database }: TestApp,
  { id }: TestKey,
  spaces: readonly string[],
): Promise<void> {
  await database.query('UPDATE credentials SET spaces = $1 WHERE id = $2', [spaces, id]);
}
