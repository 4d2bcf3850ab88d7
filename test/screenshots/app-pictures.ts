import sharp from 'sharp';

import { createClientStore } from '../../src/clients/client-store.js';
import { createLogoStore } from '../../src/clients/logos/logo-store.js';
import {
  authorizeUrl,
  createPkce,
  getTokens,
  registerClient,
  type TestClient,
} from '../support/oauth/oauth.js';
import type { Picture } from './pictures.js';
import type { World } from './world.js';

const LOGO = 'https://app.example.com/logo.png';
const NAMES = [
  { client_name: 'Acme Mobile', logo_uri: LOGO },
  { client_name: 'مزامنة جهات الاتصال 🏗️', redirect_uris: ['cursor://callback'] },
  { client_name: `Reporting${'x'.repeat(80)}`, redirect_uris: ['http://127.0.0.1:9000/callback'] },
  { client_name: 'Old importer' },
];
const ALL_SCOPES =
  'contacts:read contacts:write contacts:delete projects:read bids:read bids:write bids:send bids:accept_reject pay_apps:approve documents:read documents:write users:read offline_access openid profile email';

/** Stores a picture as the logo that a client named, as if it was fetched. Other clients have none. */
async function storeLogo({ dataSource }: World['gatehouse'], { client_id }: TestClient) {
  const store = createLogoStore(dataSource.manager);
  const background = { width: 128, height: 96, channels: 4, background: '#2f6f4f' } as const;
  const address = await store.claim(client_id, LOGO, 1);
  if (address !== undefined) {
    await store.store(address, await sharp({ create: background }).png().toBuffer());
  }
}

/** Connects apps: each a few times, some of them used, one of them blocked. */
export async function connectApps(world: Pick<World, 'gatehouse' | 'acme' | 'people'>) {
  const { gatehouse, acme, people } = world;
  const store = createClientStore(gatehouse.dataSource.manager);
  for (const metadata of NAMES) {
    const client = await registerClient(gatehouse, metadata);
    await storeLogo(gatehouse, client);
    const [redirect = ''] = metadata.redirect_uris ?? ['https://app.example.com/callback'];
    for (const user of [people.admin, people.viewer]) {
      const tokens = await getTokens(gatehouse, {
        client,
        user,
        tenantId: acme.id,
        parameters: { redirect_uri: redirect, scope: 'contacts:read projects:read offline_access' },
      });
      if (metadata.client_name === 'Acme Mobile') {
        await gatehouse.http
          .get('/api/v1/me')
          .set('Authorization', `Bearer ${tokens.access_token}`);
        await store.setVerified(client.client_id, true);
      }
    }
    if (metadata.client_name === 'Old importer') {
      await store.setBlocked(client.client_id, acme.id, true);
    }
  }
  await gatehouse.app.activity.flush();
}

async function authorizationOf(
  world: World,
  scope: string,
  {
    isVerified = false,
    ...parameters
  }: { isVerified?: boolean; response_type?: string; redirect_uri?: string } = {},
): Promise<string> {
  // Nobody has allowed it yet: a registration equal to that of an allowed app would need no consent.
  const client = await registerClient(world.gatehouse, {
    client_name: 'Site planner',
    logo_uri: LOGO,
    ...(parameters.redirect_uri !== undefined && { redirect_uris: [parameters.redirect_uri] }),
  });
  await storeLogo(world.gatehouse, client);
  const store = createClientStore(world.gatehouse.dataSource.manager);
  await store.setVerified(client.client_id, isVerified);
  return authorizeUrl(world.gatehouse.config.ISSUER, {
    client_id: client.client_id,
    code_challenge: createPkce().challenge,
    scope,
    ...parameters,
  });
}

const LIST = '/settings/connected-apps?tenant=acme';

/** The pages of apps: settings, consent, choice of an organization. */
export const APP_PICTURES: readonly Picture[] = [
  { name: 'connected-apps', as: 'admin', path: LIST },
  { name: 'connected-apps-organization', as: 'admin', path: `${LIST}&of=organization` },
  {
    name: 'connected-apps-blocked',
    as: 'admin',
    path: '/settings/connected-apps/blocked?tenant=acme',
  },
  { name: 'connected-apps-empty', as: 'manager', path: LIST },
  { name: 'tester', as: 'admin', path: '/settings/tester?tenant=acme' },
  {
    name: 'tester-result',
    as: 'admin',
    path: '/settings/tester?tenant=acme',
    prepare: async (page, { gatehouse, acme }) => {
      const key = await gatehouse.createKey(acme, {
        name: 'Nightly sync',
        scopes: ['contacts:read'],
        expiresAt: '2999-12-31T23:59:00.000Z',
      });
      await page.getByLabel('Paste a credential').fill(key.secret);
      await page.getByRole('checkbox', { name: 'GET /products', exact: true }).check();
      await page.getByRole('button', { name: 'Test', exact: true }).click();
      await page.getByRole('heading', { name: 'Coverage' }).waitFor();
    },
  },
  { name: 'apps-you-use', as: 'viewer', path: '/settings/apps' },
  {
    name: 'connected-app',
    as: 'admin',
    path: `${LIST}&of=organization`,
    prepare: async (page) => {
      await page.getByRole('link', { name: 'Acme Mobile' }).first().click();
      await page.waitForURL('**/app?**');
    },
  },
  {
    name: 'connected-app-end',
    as: 'admin',
    path: LIST,
    prepare: async (page) => {
      await page.getByRole('link', { name: /^End/ }).first().click();
      await page.waitForURL('**/end?**');
    },
  },
  {
    name: 'connected-app-disconnect',
    as: 'admin',
    path: `${LIST}&of=organization`,
    prepare: async (page) => {
      await page.getByRole('link', { name: 'Acme Mobile' }).first().click();
      await page
        .getByRole('link', { name: /^Disconnect/ })
        .first()
        .click();
      await page.waitForURL('**/disconnect?**');
    },
  },
  {
    name: 'choose-organization',
    as: 'admin',
    path: '',
    prepare: async (page, world) => page.goto(await authorizationOf(world, 'contacts:read')),
  },
  {
    name: 'consent-few',
    as: 'viewer',
    path: '',
    prepare: async (page, world) => page.goto(await authorizationOf(world, 'contacts:read')),
  },
  {
    name: 'consent-verified',
    as: 'viewer',
    path: '',
    prepare: async (page, world) =>
      page.goto(await authorizationOf(world, 'contacts:read', { isVerified: true })),
  },
  {
    name: 'consent-loopback',
    as: 'viewer',
    path: '',
    prepare: async (page, world) => {
      const options = { redirect_uri: 'http://127.0.0.1:9000/callback' };
      await page.goto(await authorizationOf(world, 'contacts:read', options));
    },
  },
  {
    name: 'consent-many',
    as: 'manager',
    path: '',
    prepare: async (page, world) => page.goto(await authorizationOf(world, ALL_SCOPES)),
  },
  {
    name: 'login-for-app',
    path: '',
    prepare: async (page, world) => page.goto(await authorizationOf(world, 'contacts:read')),
  },
  {
    name: 'app-error',
    path: '',
    prepare: async (page, world) =>
      page.goto(await authorizationOf(world, 'contact:read nonsense')),
  },
  {
    name: 'app-error-of-verified',
    path: '',
    prepare: async (page, world) =>
      page.goto(
        await authorizationOf(world, 'contacts:read', { isVerified: true, response_type: 'token' }),
      ),
  },
  { name: 'app-unknown', path: '/api/v1/oauth/authorize?client_id=cli_unknown&response_type=code' },
  {
    name: 'consent-answered',
    as: 'viewer',
    path: '',
    prepare: async (page, world) => {
      await page.goto(await authorizationOf(world, 'contacts:read'));
      const consent = page.url();
      // The app does not exist: the answer is followed up to it, and no further.
      await page.route(consent, async (route) => {
        await route.fetch({ maxRedirects: 1 }).catch(() => undefined);
        await route.fulfill({ body: 'the app' });
      });
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByText('the app', { exact: true }).waitFor();
      await page.unroute(consent);
      await page.goto(consent);
    },
  },
];
