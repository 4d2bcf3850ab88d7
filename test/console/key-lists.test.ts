import { beforeAll, describe, expect, it } from '@jest/globals';

import { createSpace } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';
import { signedInBrowser, type SignedInBrowser } from '../support/browser/session.js';
import { createUser, mainOf } from '../support/oauth/oauth.js';
import type { Tenant } from '../../src/tenants/tenant.entity.js';

const gatehouse = useGatehouse();
let acme: Tenant;
let ada: SignedInBrowser;
beforeAll(async () => {
  acme = await gatehouse.createTenant('acme');
  ada = await signedInBrowser(gatehouse, await createUser(gatehouse, [[acme, 'company_admin']]));
});

const open = async (path: string) => mainOf(await ada.browser.open(path));

describe('a list of keys', () => {
  const PAGE = '/settings/api-keys?tenant=acme';
  const FILTERS = 'class="filters"';

  it('has filters if there is anything to filter', async () => {
    const empty = await open(PAGE);
    expect(empty).toContain('No keys yet');
    expect(empty).not.toContain(FILTERS);
    const nothing = await open(`${PAGE}&search=x`);
    expect(nothing).toContain('Nothing matches');
    expect(nothing).toContain(FILTERS);
    // The database cannot compare NUL.
    expect(await open(`${PAGE}&search=x%00&creator=x%00`)).toContain('Nothing matches');

    await gatehouse.createKey(acme, { name: 'Export' });
    await gatehouse.database.query('UPDATE credentials SET expires_at = gatehouse_now()');
    const over = await open(PAGE);
    expect(over).toContain('No active keys');
    expect(over).toContain(FILTERS);
    const [, all = ''] = /href="([^"]+)">Show all</.exec(over) ?? [];
    expect(await open(all.replaceAll('&amp;', '&'))).toContain('Export');
  });

  it('names the spaces as people count, like the form for a new key', async () => {
    await gatehouse.createKey(acme, { name: 'Sync' });
    for (const number of [10, 2, 1]) await createSpace(gatehouse, acme, `Site ${number}`);
    const order = ['Default', 'Site 1', 'Site 2', 'Site 10'];
    const namesIn = (html: string, names: RegExp) =>
      [...html.matchAll(names)].map(([, name]) => name);
    expect(namesIn(await open(PAGE), /<option value="spc_[^>]*>([^<]+)/g)).toEqual(order);
    const form = await open('/settings/api-keys/new?tenant=acme');
    expect(namesIn(form, /name="space"[^>]*><span><bdi[^>]*>([^<]+)/g)).toEqual(order);
  });
});
