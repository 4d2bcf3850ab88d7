import { describe, expect, it } from '@jest/globals';

import { wordsForPageError } from '../../../src/oauth/authorize/page-error-words.js';
import { postForm } from '../../support/browser/console.js';
import { signedInBrowser } from '../../support/browser/session.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  mainOf,
  PASSWORD,
  registerClient,
} from '../../support/oauth/oauth.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

const gatehouse = useGatehouse();

const open = async (path: string) => {
  const answer = await gatehouse.http.get(path).set('Accept', 'text/html');
  return { status: answer.status, main: mainOf({ html: answer.text }) };
};

describe('an error page', () => {
  it.each(['/nothing', '/login/x', '/docs/x', '/%2e%2e', '//evil.example/x'])(
    'for %s has a heading, the next step and links of this server',
    async (path) => {
      const { status, main } = await open(path);

      expect(status).toBe(404);
      expect(main).toMatch(/<h1>(Page not found|This page has expired)<\/h1>/);
      expect(main).toContain('href="/login"');
      expect(main).toContain('href="/docs/errors#not_found"');
      expect(main).not.toMatch(/href="(?:\/\/|\/\\|https?:)/);
    },
  );

  it('offers the settings to somebody who is signed in', async () => {
    const acme = await gatehouse.createTenant('acme');
    const user = await createUser(gatehouse, [[acme, 'viewer']]);
    const { browser } = await signedInBrowser(gatehouse, user);
    const page = await browser.open('/settings/nothing');
    expect(page.status).toBe(404);
    expect(mainOf(page)).toContain('href="/settings"');
    const stale = await postForm(browser, '/settings/tokens/new?tenant=acme', { csrf: 'forged' });
    expect(await stale.text()).toContain('This is not allowed');
  });
});

describe('an error that passes', () => {
  const page = { path: '/settings?tenant=acme', isSignedIn: false };
  const error = { code: 'service_unavailable', status: 503, message: 'Away.' };

  it('offers to try again', () => {
    const { heading, links } = wordsForPageError(error, page);
    expect(heading).toBe('The service is not available right now');
    expect(links[0]).toEqual({ text: 'Try again', href: page.path });
  });

  it('has a heading for its case where its message says what to do', () => {
    const message = 'You have already answered this. Go back to the app.';
    const words = wordsForPageError({ code: 'not_found', status: 404, message }, page);
    expect(words).toMatchObject({ heading: 'Nothing more to answer', next: undefined });
  });

  it.each([undefined, '//evil.example', '/\\evil.example', 'https://evil.example'])(
    'never leads to %s',
    (path) => {
      const { links } = wordsForPageError(error, { ...page, path });
      expect(links.map(({ href }) => href)).toEqual(['/', '/docs/errors#service_unavailable']);
    },
  );
});

describe('the choice of an organization', () => {
  it('lets another account sign in', async () => {
    const [one, two] = [await gatehouse.createTenant('one'), await gatehouse.createTenant('two')];
    const both = await createUser(gatehouse, [
      [one, 'viewer'],
      [two, 'viewer'],
    ]);
    const client = await registerClient(gatehouse);
    const browser = createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
    const login = await browser.open(
      authorizeUrl(gatehouse.config.ISSUER, {
        client_id: client.client_id,
        code_challenge: createPkce().challenge,
      }),
    );
    const choice = await browser.submit(login, { email: both.email, password: PASSWORD });
    expect(choice.html).toContain('Not you?');

    const again = await browser.submit(choice, { account: 'other' });

    expect(new URL(again.url).pathname).toMatch(/^\/login\//);
  });
});
