import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, ITSELF, type TestApp } from '../support/app/app.js';
import { fillHistory } from './history.js';
import { createUser, type TestUser } from '../support/oauth/oauth.js';
import { connectApps } from './app-pictures.js';

/** A server with rich data, for pictures of its pages. */
export interface World {
  readonly gatehouse: TestApp;
  readonly acme: Tenant;
  /** Without any data. */
  readonly fresh: Tenant;
  readonly closed: Tenant;
  readonly people: Readonly<Record<'admin' | 'manager' | 'viewer', TestUser>>;
}

const BRAND = {
  BRAND_HELP_URL: 'https://example.com/help',
  BRAND_TERMS_URL: 'https://example.com/terms',
  BRAND_PRIVACY_URL: 'https://example.com/privacy',
};

export async function createWorld(): Promise<World> {
  const gatehouse = await createTestApp({
    ISSUER: ITSELF,
    RATE_LIMIT_TENANT_PER_HOUR: '10000',
    ...BRAND,
  });
  const acme = await gatehouse.createTenant('acme');
  const fresh = await gatehouse.createTenant('fresh');
  const closed = await gatehouse.createTenant('closed');
  const people = {
    admin: await createUser(gatehouse, [
      [acme, 'company_admin'],
      [fresh, 'company_admin'],
      [closed, 'company_admin'],
    ]),
    manager: await createUser(gatehouse, [[acme, 'manager']]),
    viewer: await createUser(gatehouse, [[acme, 'viewer']]),
  };
  const rename = 'UPDATE tenants SET name = $2 WHERE id = $1';
  await gatehouse.database.query(rename, [acme.id, 'Acme Construction']);
  await gatehouse.database.query(rename, [fresh.id, 'Fresh Start LLC']);
  await gatehouse.database.query(rename, [closed.id, 'شركة البناء الحديثة 🏗️']);
  await fillHistory(gatehouse, acme, people.admin);
  await createTenantStore(gatehouse.dataSource.manager).setSuspended(closed.id, true);
  await connectApps({ gatehouse, acme, people });
  return { gatehouse, acme, fresh, closed, people };
}
