import { createAccountStore } from '../../src/accounts/account-store.js';
import type { Role } from '../../src/scopes/roles.js';
import { createTenantStore } from '../../src/tenants/tenant-store.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createTestApp, ITSELF, type TestApp } from '../support/app/app.js';
import { fillHistory } from './history.js';
import { createUser, post, registerClient, type TestUser } from '../support/oauth/oauth.js';
import { connectApps } from './app-pictures.js';
import { makeWebhooks, type WebhookIds } from './webhook-pictures.js';
import { fillCrowd } from './crowd.js';

/** A server with rich data, for pictures of its pages. */
export interface World {
  readonly gatehouse: TestApp;
  readonly acme: Tenant;
  /** Without any data. */
  readonly fresh: Tenant;
  readonly closed: Tenant;
  /** The ids of keys that have pages of their own. */
  readonly webhooks: WebhookIds;
  readonly keys: Readonly<Record<'used' | 'rotated' | 'revoked' | 'long', string>>;
  /** The id of a member of the organization `large`, whose name and address are long. */
  readonly longMember: string;
  /** The user code of a device that waits. */
  readonly deviceCode: string;
  /** The user code of a device that is refused. */
  readonly deniedDeviceCode: string;
  readonly people: Readonly<
    Record<'admin' | 'manager' | 'viewer' | 'contractor' | 'loner', TestUser>
  >;
}

const BRAND = {
  BRAND_HELP_URL: 'https://example.com/help',
  BRAND_TERMS_URL: 'https://example.com/terms',
  BRAND_PRIVACY_URL: 'https://example.com/privacy',
};

/** A failed set-up ends the server: its database must not outlive it. */
export async function createWorld(): Promise<World> {
  const gatehouse = await createTestApp({
    ISSUER: ITSELF,
    RATE_LIMIT_TENANT_PER_HOUR: '10000',
    ...BRAND,
  });
  try {
    return await fill(gatehouse);
  } catch (error) {
    await gatehouse.close();
    throw error;
  }
}

async function fill(gatehouse: TestApp): Promise<World> {
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
    /** A member of many organizations. */
    contractor: await createUser(gatehouse, await employers(gatehouse)),
    /** A member of none. */
    loner: await createUser(gatehouse, []),
  };
  const large = await gatehouse.createTenant('large');
  await createAccountStore(gatehouse.dataSource.manager).join(
    large.id,
    people.admin.id,
    'company_admin',
  );
  const { longKey, longMember } = await fillCrowd(gatehouse, large, people.admin);
  const rename = 'UPDATE tenants SET name = $2 WHERE id = $1';
  await gatehouse.database.query(rename, [acme.id, 'Acme Construction']);
  await gatehouse.database.query(rename, [fresh.id, 'Fresh Start LLC']);
  await gatehouse.database.query(rename, [closed.id, 'شركة البناء الحديثة 🏗️']);
  await fillHistory(gatehouse, acme, people.admin);
  await createTenantStore(gatehouse.dataSource.manager).setSuspended(closed.id, true);
  await connectApps({ gatehouse, acme, people });
  const keys = { ...(await createKeys(gatehouse, acme, people.admin)), long: longKey };
  const webhooks = await makeWebhooks({ gatehouse, acme });
  const deviceCode = await beginDevice(gatehouse);
  const deniedDeviceCode = await beginDevice(gatehouse);
  return {
    gatehouse,
    acme,
    fresh,
    closed,
    people,
    keys,
    longMember,
    webhooks,
    deviceCode,
    deniedDeviceCode,
  };
}

/** Ten organizations: the switcher has a search. */
async function employers(gatehouse: TestApp): Promise<readonly (readonly [Tenant, Role])[]> {
  const tenants: (readonly [Tenant, Role])[] = [];
  for (let number = 1; number <= 10; number += 1) {
    tenants.push([await gatehouse.createTenant(`contractor-${number}`), 'member']);
  }
  return tenants;
}

const KEYS: readonly Readonly<Record<string, unknown>>[] = [
  { name: 'Website', kind: 'publishable', scopes: ['products:read', 'documents:read'] },
  { name: 'Mobile app', kind: 'publishable', scopes: ['products:read'] },
  { name: 'Nightly QuickBooks export', scopes: ['contacts:read', 'contacts:write', 'leads:read'] },
  { name: 'Zapier sync', scopes: ['bids:read'], allowedIps: ['203.0.113.0/24', '2001:db8::/32'] },
  { name: 'مزامنة المستندات', scopes: ['documents:read', 'documents:write'] },
  { name: 'W'.repeat(80), scopes: ['projects:read'] },
  { name: 'CI 👷‍♀️', scopes: ['jobs:read', 'jobs:write'], rateLimitPerMinute: 600 },
  { name: 'Provisioning', kind: 'organization', scopes: ['api_keys:manage', 'spaces:manage'] },
  { name: 'Credential gateway', kind: 'service', scopes: ['introspect', 'contacts:read'] },
  {
    name: 'Site log summaries',
    kind: 'agent',
    scopes: ['site_logs:read'],
    bindings: [{ type: 'contacts', id: '42' }],
  },
];

async function createKeys(
  gatehouse: TestApp,
  tenant: Tenant,
  admin: TestUser,
): Promise<Omit<World['keys'], 'long'>> {
  const made = new Map<string, string>();
  for (const fields of KEYS) {
    const { id } = await gatehouse.createKey(tenant, fields);
    made.set(String(fields['name']), id);
  }
  const { database } = gatehouse;
  await database.query('UPDATE credentials SET created_by = $1', [admin.id]);
  const idOf = (name: string) => made.get(name) ?? '';
  const used = idOf('Nightly QuickBooks export');
  await database.query(
    `INSERT INTO credential_uses (credential_id, used_at, address)
     VALUES ($1, gatehouse_now() - interval '3 hours', '203.0.113.7')`,
    [used],
  );
  await database.query(
    `UPDATE credentials SET created_at = created_at - interval '60 days' WHERE name = 'Zapier sync'`,
  );
  await database.query(
    `UPDATE credentials SET expires_at = gatehouse_now() + interval '5 days'
     WHERE name LIKE 'CI %' OR name LIKE 'WWW%'`,
  );
  const old = await gatehouse.createKey(tenant, { name: 'Old backup', scopes: ['leads:read'] });
  await database.query('UPDATE credentials SET replaces = $1 WHERE id = $2', [
    idOf('Zapier sync'),
    idOf('CI 👷‍♀️'),
  ]);
  await database.query(
    `INSERT INTO revocations (subject, seq, revoked_by) SELECT $1, nextval('issue_order'), $2`,
    [old.id, admin.id],
  );
  await database.query(
    `INSERT INTO audit_log (tenant_id, actor, action, subject, details, address, occurrences)
     VALUES ($1, $2, 'credential.refused', $2, '{"reason": "address_not_allowed"}', '198.51.100.9', 12),
       ($1, $2, 'credential.refused', $2, '{"reason": "scope_insufficient"}', '203.0.113.7', 3),
       ($1, $3, 'api_key.update', $2, '{}', '203.0.113.7', 1)`,
    [tenant.id, used, admin.id],
  );
  await database.query(
    `INSERT INTO usage_counts (tenant_id, environment, subject, hour, process, successes, client_errors, denials, rate_limited)
     SELECT $1, 'live', $2, date_trunc('hour', gatehouse_now()) - make_interval(hours => n), 1,
       (n * 37) % 220, n % 9, n % 5, CASE WHEN n % 7 = 0 THEN 30 ELSE 0 END
     FROM generate_series(0, 30) AS n`,
    [tenant.id, used],
  );
  return { used, rotated: idOf('Zapier sync'), revoked: old.id };
}

async function beginDevice(gatehouse: TestApp): Promise<string> {
  const client = await registerClient(gatehouse, {
    client_name: 'Site office display',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  });
  const answer = await post(gatehouse, 'device', {
    client_id: client.client_id,
    scope: 'projects:read contacts:read offline_access',
  });
  return ((await answer.json()) as { user_code: string }).user_code;
}
