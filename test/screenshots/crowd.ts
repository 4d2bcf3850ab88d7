import { createClientStore } from '../../src/clients/client-store.js';
import { createId } from '../../src/db/id.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';
import type { TestApp } from '../support/app/app.js';
import { createSpace } from '../support/app/spaces.js';
import { createUser, getTokens, registerClient, type TestUser } from '../support/oauth/oauth.js';

/** More than a page of any list has room for. */
const COUNT = 27;
const LONG = 'x'.repeat(80);

/** A name of 89 characters, in words. */
const LONG_NAME =
  'Consolidated Construction and Engineering Partners of the Greater Northern Territories Ltd';

/** Fills the lists of an organization with more than a page each, and with values as long as they may be. */
export async function fillCrowd(
  gatehouse: TestApp,
  tenant: Tenant,
  admin: TestUser,
): Promise<{ readonly longKey: string; readonly longMember: string }> {
  const { database } = gatehouse;
  await database.query('UPDATE tenants SET name = $2 WHERE id = $1', [tenant.id, LONG_NAME]);
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      gatehouse.createKey(tenant, { name: `Site ${index + 1}`, scopes: ['contacts:read'] }),
    ),
  );
  for (let number = 1; number <= COUNT; number += 1) {
    const name = number === COUNT ? LONG : `Building ${number}, ${LONG_NAME.slice(0, 60)}`;
    await createSpace(gatehouse, tenant, name);
  }
  const longMember = await addMembers(gatehouse, tenant, admin);
  await addApps(gatehouse, tenant, admin);
  const { id } = await gatehouse.createKey(tenant, {
    name: 'W'.repeat(100),
    allowedIps: Array.from({ length: 20 }, (_, index) => `2001:db8:${index}:ffff:aaaa::/96`),
  });
  await database.query(
    `INSERT INTO credential_uses (credential_id, used_at, address)
     VALUES ($1, gatehouse_now(), '2001:db8:1234:5678:9abc:def0:1234:5678')`,
    [id],
  );
  await database.query(
    `INSERT INTO audit_log (tenant_id, actor, action, subject, details, address, occurrences)
     VALUES ($1, $2, 'credential.refused', $2, '{"reason": "address_not_allowed"}',
       '2001:db8:1234:5678:9abc:def0:1234:5678', 1204)`,
    [tenant.id, id],
  );
  return { longKey: id, longMember };
}

/** Members and pending invitations. @returns the id of a member whose name and address are long */
async function addMembers(gatehouse: TestApp, tenant: Tenant, admin: TestUser): Promise<string> {
  const { database } = gatehouse;
  for (let number = 1; number < COUNT; number += 1) {
    const { id } = await createUser(gatehouse, [[tenant, 'member']]);
    await database.query('UPDATE accounts SET name = $2 WHERE id = $1', [id, `Person ${number}`]);
  }
  const { id } = await createUser(gatehouse, [[tenant, 'field_crew']], `${LONG}@example.com`);
  await database.query('UPDATE accounts SET name = $2 WHERE id = $1', [id, 'M'.repeat(100)]);
  await database.query(
    `INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
     SELECT 'inv_01M7XDXM196WXM1ABP0DNE' || lpad(n::text, 4, '0'), $1, 'invited.' || n || $3, 'viewer',
       'digest ' || n, 'none', false, $2, gatehouse_now() + make_interval(days => n - 2)
     FROM generate_series(1, 4) AS n`,
    [tenant.id, admin.id, `.${LONG}@example.com`],
  );
  return id;
}

/** Installations of an app, and blocked apps. */
async function addApps(gatehouse: TestApp, tenant: Tenant, user: TestUser): Promise<void> {
  const { database } = gatehouse;
  const client = await registerClient(gatehouse, { client_name: LONG_NAME });
  await getTokens(gatehouse, {
    client,
    user,
    tenantId: tenant.id,
    parameters: { scope: 'contacts:read contacts:write projects:read offline_access' },
  });
  const copies = Array.from({ length: COUNT }, () => createId('grt'));
  await database.query(
    `INSERT INTO grants SELECT (jsonb_populate_record(g,
       jsonb_build_object('id', copy, 'issue_seq', nextval('issue_order')))).*
     FROM grants g, unnest($2::text[]) AS copy WHERE tenant_id = $1`,
    [tenant.id, copies],
  );
  await database.query(
    `INSERT INTO clients SELECT (jsonb_populate_record(c, jsonb_build_object(
       'id', c.id || n, 'registration_digest', NULL, 'registration_digest_key_id', NULL))).*
     FROM clients c, generate_series(1, $2) AS n WHERE id = $1`,
    [client.client_id, COUNT],
  );
  const store = createClientStore(gatehouse.dataSource.manager);
  for (let number = 1; number <= COUNT; number += 1) {
    await store.setBlocked(`${client.client_id}${number}`, tenant.id, true);
  }
}
