// Logos of clients: RFC 7591 §2 (logo_uri) and §5.
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import sharp from 'sharp';

import { useFixture } from '../support/app/use-fixture.js';
import { useGatehouseBehindProxy } from '../support/app/use-gatehouse.js';
import { until } from '../support/app/until.js';
import { createWebServer } from '../support/app/web-server.js';
import { signedInBrowser, type SignedInBrowser } from '../support/browser/session.js';
import { publish } from '../support/oauth/client-documents.js';
import { createDeviceUser } from '../support/oauth/device.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  getTokens,
  mainOf,
  post,
  REDIRECT,
  registerClient,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';

const gatehouse = useGatehouseBehindProxy({ OUTBOUND_ALLOW_LOOPBACK: 'true' });
const host = useFixture(() => createWebServer());
let user: TestUser;
let person: SignedInBrowser;
beforeAll(async () => {
  user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'company_admin']]);
  person = await signedInBrowser(gatehouse, user);
});
beforeEach(() => {
  host.requested.length = 0;
});

const red = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 4, background: '#f00' } });
const at = (path: string, by = host) => `http://127.0.0.1:${by.port}${path}`;

function serve(path: string, body: Buffer | string, headers: Record<string, string>, by = host) {
  by.pages.set(path, (_request, response) => response.writeHead(200, headers).end(body));
  return at(path, by);
}
const png = { 'Content-Type': 'image/png' };

/** The consent page that a signed-in user sees. */
async function consentOf({ client_id }: Pick<TestClient, 'client_id'>) {
  const { challenge: code_challenge } = createPkce();
  const parameters = { client_id, code_challenge, prompt: 'consent' };
  const url = authorizeUrl(gatehouse.config.ISSUER, parameters);
  const page = await person.browser.open(url);
  expect([page.status, new URL(page.url).pathname.split('/')[1]]).toEqual([200, 'consent']);
  return page;
}
const logoIn = ({ html }: { readonly html: string }) =>
  /<img class="app-logo" src="([^"]+)"/.exec(html)?.[1];
const registerWith = (logo: string) => registerClient(gatehouse, { logo_uri: logo });

describe('a logo', () => {
  it('is fetched once, encoded again, and shown from here on consent and connected apps', async () => {
    const original = await red(600, 300)
      .withExif({ IFD0: { Copyright: 'a text inside' } })
      .jpeg()
      .toBuffer();
    expect(original.includes('a text inside')).toBe(true);
    const uri = serve('/logo.jpg', original, { 'Content-Type': 'image/jpeg' });
    const app = await registerWith(uri);

    const consent = await consentOf(app);
    const src = logoIn(consent) ?? '';
    expect(src).toMatch(/^\/app-logos\/lgo_[0-9A-Z]{26}$/);
    expect(consent.headers.get('Content-Security-Policy')).toContain("img-src 'self';");
    expect(consent.html).not.toContain(uri);

    const picture = await fetch(gatehouse.origin + src);
    const bytes = Buffer.from(await picture.arrayBuffer());
    expect(Object.fromEntries(picture.headers)).toMatchObject({
      'content-type': 'image/png',
      'cache-control': 'public, max-age=31536000, immutable',
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
    });
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width: 128, height: 64 });
    expect(bytes.includes('a text inside')).toBe(false);

    await getTokens(gatehouse, { client: app, user });
    const list = await person.browser.open('/settings/connected-apps');
    expect(logoIn({ html: mainOf(list) })).toBe(src);
    const id = encodeURIComponent(app.client_id);
    const page = await person.browser.open(`/settings/connected-apps/app?client=${id}`);
    expect(logoIn({ html: mainOf(page) })).toBe(src);
    expect(logoIn(await consentOf(app))).toBe(src);
    expect(host.requested).toEqual(['/logo.jpg']);
  });

  it('is shown for a device, and ends with its client', async () => {
    const uri = serve('/device.png', await red(20, 20).png().toBuffer(), png);
    const app = await registerClient(gatehouse, {
      logo_uri: uri,
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code'],
    });
    const { client_id, client_secret = '' } = app;
    const asked = await post(gatehouse, 'device', { client_id, client_secret });
    const { user_code: code } = (await asked.json()) as { user_code: string };
    const src = logoIn(await createDeviceUser(gatehouse, user).type(code)) ?? '';
    const picture = () => fetch(gatehouse.origin + src);
    expect((await picture()).status).toBe(200);

    const authorization = `Bearer ${app.registration_access_token}`;
    await gatehouse.http
      .delete(new URL(app.registration_client_uri).pathname)
      .set('Authorization', authorization)
      .expect(204);
    expect((await picture()).status).toBe(404);
    for (const other of ['x', 'lgo_', 'lgo_%00', `lgo_${'A'.repeat(26)}`]) {
      expect((await fetch(`${gatehouse.origin}/app-logos/${other}`)).status).toBe(404);
    }
  });

  it('is fetched for signed-in users only', async () => {
    const uri = serve('/early.png', await red(20, 20).png().toBuffer(), png);
    const { client_id } = await registerWith(uri);
    const { challenge: code_challenge } = createPkce();
    const url = authorizeUrl(gatehouse.config.ISSUER, { client_id, code_challenge });
    const browser = createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
    expect(new URL((await browser.open(url)).url).pathname).toMatch(/^\/login\//);
    expect(host.requested).toEqual([]);
  });

  it('moves to another address once the document of the client names another', async () => {
    const document = { client_name: 'Documented', redirect_uris: [REDIRECT] };
    const first = serve('/first.png', await red(20, 20).png().toBuffer(), png);
    const client_id = publish(host, '/app.json', { ...document, logo_uri: first });
    const before = logoIn(await consentOf({ client_id })) ?? '';
    expect(before).toMatch(/^\/app-logos\//);

    const second = serve('/second.png', await red(30, 30).png().toBuffer(), png);
    publish(host, '/app.json', { ...document, logo_uri: second });
    await gatehouse.database.shiftClock('11 min');
    const after = logoIn(await consentOf({ client_id })) ?? '';
    await gatehouse.database.shiftClock('0');
    expect(after).toMatch(/^\/app-logos\//);
    expect(after).not.toBe(before);
    expect((await fetch(gatehouse.origin + before)).status).toBe(404);
  });
});

describe('a page', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  it.each<[string, Record<string, string>, () => Promise<Buffer | string> | Buffer | string]>([
    ['an SVG document', { 'Content-Type': 'image/svg+xml' }, () => svg],
    ['an SVG document that says PNG', png, () => svg],
    ['a page', { 'Content-Type': 'text/html' }, () => '<script>alert(1)</script>'],
    ['a GIF that says PNG', png, () => red(9, 9).gif().toBuffer()],
    ['a TIFF that says PNG', png, () => red(9, 9).tiff().toBuffer()],
    ['a broken picture', png, async () => (await red(90, 90).png().toBuffer()).subarray(0, 60)],
    ['only the first bytes', png, () => Buffer.from('89504e470d0a1a0a', 'hex')],
    ['more pixels than its bytes suggest', png, () => red(2100, 2100).png().toBuffer()],
    ['many bytes', png, () => Buffer.alloc(300_000)],
    ['nothing', png, () => ''],
  ])('has no logo if that is %s, and is not delayed by it again', async (_what, headers, body) => {
    const path = `/${encodeURIComponent(_what)}`;
    const app = await registerWith(serve(path, await body(), headers));

    expect(logoIn(await consentOf(app))).toBeUndefined();
    expect(logoIn(await consentOf(app))).toBeUndefined();
    expect(host.requested).toEqual([path]);
  });

  it('has no logo from another place: a redirect, another scheme, a private address', async () => {
    const uri = at('/moved.png');
    host.pages.set('/moved.png', (_request, response) =>
      response.writeHead(302, { Location: at('/logo.jpg') }).end(),
    );
    expect(logoIn(await consentOf(await registerWith(uri)))).toBeUndefined();
    expect(host.requested).toEqual(['/moved.png']);
    for (const refused of [
      'http://app.example.com/a.png',
      'https://10.0.0.1/a.png',
      'data:image/png;base64,iVBORw0KGgo=',
      'javascript:alert(1)',
    ]) {
      const { logo_uri: kept } = (await registerWith(refused)) as { logo_uri?: string };
      expect(kept).toBeUndefined();
    }
  });

  it('does not wait for a slow host, and shows the logo once it has come', async () => {
    const slow = await createWebServer();
    const picture = await red(20, 20).png().toBuffer();
    let answer: (() => void) | undefined;
    slow.pages.set('/slow.png', (_request, response) => {
      answer = () => response.writeHead(200, png).end(picture);
    });
    const app = await registerWith(at('/slow.png', slow));
    const started = performance.now();
    expect(logoIn(await consentOf(app))).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(3000);
    expect(logoIn(await consentOf(app))).toBeUndefined();
    answer?.();
    await until(async () => logoIn(await consentOf(app)) !== undefined);
    expect(slow.requested).toEqual(['/slow.png']);
    await slow.close();
  });

  it('tries again after an hour', async () => {
    const app = await registerWith(at('/later.png'));
    expect(logoIn(await consentOf(app))).toBeUndefined();
    serve('/later.png', await red(20, 20).webp().toBuffer(), { 'Content-Type': 'image/webp' });
    await gatehouse.database.shiftClock('61 min');
    const shown = logoIn(await consentOf(app));
    await gatehouse.database.shiftClock('0');
    expect(shown).toMatch(/^\/app-logos\//);
  });
});
