import { afterEach, describe, expect, it } from '@jest/globals';

import { whoIs } from '../support/browser/console.js';
import { createUser } from '../support/oauth/oauth.js';
import { problemOf, useProviders } from '../support/oauth/provider-world.js';

const world = useProviders();
const { newVisitor, stranger, leaveFor, signInWith, roleOf } = world;

const accountsOf = (email: string) =>
  world.gatehouse.database.query(`SELECT FROM accounts WHERE email = '${email}'`);

describe('the first sign-in at a provider', () => {
  afterEach(() =>
    world.gatehouse.database.query(
      'UPDATE tenants SET suspended_at = NULL; DELETE FROM invitations',
    ),
  );

  it('accepts the invitation of the organization, with the role of the claims', async () => {
    const claims = stranger();
    const admin = await createUser(world.gatehouse, [[world.tenant, 'company_admin']]);
    await world.gatehouse.database.query(
      `INSERT INTO invitations (id, tenant_id, email, role, digest, digest_key_id, is_mailed, invited_by, expires_at)
       VALUES ('inv_x', $1, $2, 'viewer', 'digest', 'key', false, $3, gatehouse_now() + interval '1 day')`,
      [world.tenant.id, claims.email, admin.id],
    );
    const browser = newVisitor();
    await signInWith(browser, claims);
    expect(await whoIs(browser)).toBe(claims.email);
    expect(await roleOf(claims.email)).toBe('member');
    expect(await world.gatehouse.database.query('SELECT FROM invitations')).toHaveLength(0);
  });

  it('creates no account for a suspended organization', async () => {
    await world.gatehouse.database.query(
      `UPDATE tenants SET suspended_at = gatehouse_now() WHERE id = '${world.tenant.id}'`,
    );
    const claims = stranger();
    const browser = newVisitor();
    const page = await signInWith(browser, claims);
    expect([page.status, problemOf(page)]).toEqual([
      403,
      expect.stringMatching('is suspended. The operator of this server knows why.'),
    ]);
    expect(await whoIs(browser)).toBeUndefined();
    expect(await accountsOf(claims.email)).toHaveLength(0);
  });

  it('leads back to the page of a device', async () => {
    const claims = stranger();
    const browser = newVisitor();
    const at = '/device?user_code=BCDF-GHJK';
    const { url } = await leaveFor(browser, 'acme', at);
    const page = await browser.open(world.acme.authorize(url, claims).callback);
    expect(page.url).toBe(world.gatehouse.config.ISSUER + at);
    expect(await whoIs(browser)).toBe(claims.email);
  });
});
