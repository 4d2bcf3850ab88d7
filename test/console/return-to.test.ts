import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { returnPath } from '../../src/console/return-to.js';
import { newBrowser, signIn } from '../support/browser/console.js';
import { createUser, type TestUser } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ISSUER = 'https://auth.example.com';

const OURS = [
  '/settings/tokens',
  '/settings/tokens?tenant=acme',
  '/settings/tokens/key_01ARZ3NDEKTSV4RRFFQ69G5FAV/revoke?tenant=a-b',
  '/settings/connected-apps?cursor=12.ab%2F',
  '/device',
  '/device?user_code=ABCD-EFGH',
];

const NOT_OURS = [
  '',
  '/',
  '/settings',
  '/settings/',
  '/devices',
  '/login',
  '/logout',
  '/api/v1/oauth/authorize?client_id=x',
  '//evil.example/settings/tokens',
  '///evil.example/settings/tokens',
  '/\\evil.example/settings/tokens',
  '\\\\evil.example/settings/tokens',
  '/settings/..//evil.example',
  '/settings/../api/v1/oauth/authorize',
  '/settings/./tokens',
  '/settings//evil.example',
  '/settings/\\evil.example',
  '/settings/%2e%2e/%2e%2e/login',
  '/settings%2ftokens',
  '/%2f%2fevil.example/settings/',
  '/settings/tokens@evil.example',
  '/settings/tokens#x',
  '/settings/tokens?',
  '/settings/tokens?x=%',
  '/settings/tokens?x=\r\nSet-Cookie:%20a=b',
  '/settings/tokens\nX',
  '/settings/tokens\0',
  '/settings/tokens ',
  ' /settings/tokens',
  '\t//evil.example',
  'settings/tokens',
  'https://evil.example/settings/tokens',
  `${ISSUER}/settings/tokens`,
  'https:/settings/tokens',
  'javascript:alert(1)//settings/',
  'data:text/html,/settings/',
  '/SETTINGS/tokens',
  '/settings/tökens',
  `/settings/${'x'.repeat(600)}`,
];

describe('the return path', () => {
  it.each(OURS)('leads to a page: %s', (path) => {
    expect(returnPath(path)).toBe(path);
  });

  it.each(NOT_OURS)('does not lead to %j', (path) => {
    expect(returnPath(path)).toBeUndefined();
  });

  it('never leads to another origin', () => {
    const part = fc.constantFrom(
      '/settings/',
      '/device',
      '/',
      '\\',
      '..',
      '.',
      '%2e',
      '%2F',
      '//',
      '@',
      '?',
      '#',
      ':',
      'evil.example',
      'tokens',
      'https:',
      '\n',
      '\t',
      '\0',
      ' ',
      '&',
      '=',
      ';',
      'é',
    );
    const text = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          text.map((rest) => `/settings/${rest}`),
        ),
        (candidate) => {
          const path = returnPath(candidate);
          if (path === undefined) return;
          const url = new URL(path, ISSUER);
          expect(url.origin).toBe(ISSUER);
          expect(url.pathname + url.search).toBe(path);
          expect(url.pathname).toMatch(/^\/(settings\/[\w-]|device(\/|$))/);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});

describe('a login page with a forged return path', () => {
  const gatehouse = useGatehouse();
  let user: TestUser;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'member']]);
  });

  it.each(NOT_OURS)('leads to the settings instead: %j', async (returnTo) => {
    const browser = newBrowser(gatehouse);
    const page = await signIn(browser, user, { returnTo });
    expect(page.url).toMatch(/^http:\/\/localhost:3000\/settings\/[\w-]+\?tenant=acme&env=live$/);
    expect(
      (await browser.open(`/login?return_to=${encodeURIComponent(returnTo)}`)).html,
    ).not.toContain('return_to');
  });

  it('refuses a repeated return path', async () => {
    const page = await newBrowser(gatehouse).open(
      '/login?return_to=/settings/tokens&return_to=//evil.example',
    );
    expect(page.status).toBe(400);
  });
});
