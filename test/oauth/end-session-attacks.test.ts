import { beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';

import { newBrowser, postForm, whoIs } from '../support/browser/console.js';
import { endSessionUrl, END_SESSION } from '../support/oauth/end-session.js';
import {
  createUser,
  getTokens,
  mainOf,
  readForm,
  registerClient,
  type Browser,
  type TestClient,
  type TestUser,
} from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const BYE = 'https://app.example.com/bye';
const EVIL = 'https://evil.example/bye';
const CONFIRM = `${END_SESSION}/confirm`;

describe('end-session under attack', () => {
  const gatehouse = useGatehouse({ TRUST_PROXY: '127.0.0.1' });
  let user: TestUser;
  let client: TestClient;
  let evil: TestClient;
  let browser: Browser;
  let hint: string;
  beforeAll(async () => {
    user = await createUser(gatehouse, [[await gatehouse.createTenant('acme'), 'manager']]);
    client = await registerClient(gatehouse, { post_logout_redirect_uris: [BYE] });
    evil = await registerClient(gatehouse, { post_logout_redirect_uris: [EVIL] });
    browser = newBrowser(gatehouse);
    const flow = { browser, user, client, parameters: { scope: 'openid' } };
    hint = (await getTokens(gatehouse, flow)).id_token ?? 'none';
  });

  /** Neither the page nor its form leads anywhere but to a page of ours. */
  async function expectNowhere(parameters: Readonly<Record<string, string>>): Promise<void> {
    const page = await browser.open(endSessionUrl(parameters));
    expect(page.status).toBe(200);
    const { hidden } = readForm(page.html);
    expect(hidden.map(([name]) => name)).not.toContain('post_logout_redirect_uri');
    expect(mainOf(page)).toContain('You stay here');
    expect(mainOf(page)).not.toContain('evil');
    const anonymous = await newBrowser(gatehouse).open(endSessionUrl(parameters));
    expect(anonymous.status).toBe(200);
    expect(mainOf(anonymous)).not.toContain('href="https:');
    expect(await whoIs(browser)).toBe(user.email);
  }

  it('ignores a hint that this server did not issue', async () => {
    const [head = '', body = '', signature = ''] = hint.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, string>;
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
    const { privateKey } = await generateKeyPair('RS256');
    const [published] = gatehouse.signingKeys.current().jwks.keys;
    const secret = new TextEncoder().encode(JSON.stringify(published));
    const forged = [
      'garbage',
      '..',
      `${head}.${encode({ ...claims, sub: 'usr_other' })}.${signature}`,
      `${head}.${encode({ ...claims, aud: evil.client_id })}.${signature}`,
      `${head}.${body}.${signature.slice(0, -8)}AAAAAAAA`,
      `${head}.${body}.`,
      new UnsecuredJWT(claims).encode(),
      await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'RS256' }).sign(privateKey),
      await new SignJWT(claims).setProtectedHeader({ ...header, alg: 'HS256' }).sign(secret),
    ];
    for (const id_token_hint of forged) {
      await expectNowhere({ id_token_hint, post_logout_redirect_uri: BYE });
      await expectNowhere({
        id_token_hint,
        post_logout_redirect_uri: BYE,
        client_id: client.client_id,
      });
    }
  });

  it('ignores a token of another issuer, also under a published key', async () => {
    const { key, kid } = gatehouse.signingKeys.signer('RS256');
    for (const claims of [
      { iss: 'https://other.example', aud: client.client_id, sub: user.id },
      { iss: gatehouse.config.ISSUER, sub: user.id },
      { iss: gatehouse.config.ISSUER, aud: [client.client_id, 'x'], sub: user.id },
      { iss: gatehouse.config.ISSUER, aud: client.client_id },
    ]) {
      const jwt = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(key);
      await expectNowhere({ id_token_hint: jwt, post_logout_redirect_uri: BYE });
    }
  });

  it('ignores a client_id that contradicts the hint', async () => {
    const target = { post_logout_redirect_uri: EVIL };
    await expectNowhere({ ...target, id_token_hint: hint });
    await expectNowhere({ ...target, id_token_hint: hint, client_id: evil.client_id });
    await expectNowhere({ ...target, client_id: client.client_id });
    const contradicted = { id_token_hint: hint, client_id: evil.client_id };
    await expectNowhere({ ...contradicted, post_logout_redirect_uri: BYE });
    await expectNowhere(target);
    await expectNowhere({ ...target, client_id: 'cli_00000000000000000000000000000000' });
    await expectNowhere({ ...target, client_id: 'cli_\0' });
  });

  it('redirects to the exact registered URI only', async () => {
    for (const uri of [
      'https://app.example.com/callback',
      `${BYE}/`,
      `${BYE}?`,
      `${BYE}#x`,
      `${BYE}%00`,
      'https://app.example.com/BYE',
      'https://app.example.com:443/bye',
      'http://evil.example',
      'https://app.example.com@evil.example/bye',
      'https://app.example.com.evil.example/bye',
      'javascript:alert(1)',
      '//evil.example/bye',
      '/\\evil.example',
      'data:text/html,evil',
      `${BYE}\r\nLocation: https://evil.example`,
      `${BYE} ${EVIL}`,
      '{"constructor":1}',
    ]) {
      await expectNowhere({ id_token_hint: hint, post_logout_redirect_uri: uri });
    }
  });

  it('does not redirect to a blocked app', async () => {
    const set = (value: string) =>
      gatehouse.database.query(`UPDATE clients SET blocked_at = ${value} WHERE id = $1`, [
        client.client_id,
      ]);
    await set('gatehouse_now()');
    await expectNowhere({ id_token_hint: hint, post_logout_redirect_uri: BYE });
    await set('NULL');
  });

  it('refuses a form without the CSRF token of this browser', async () => {
    const page = await browser.open(endSessionUrl({ id_token_hint: hint }));
    const fields = Object.fromEntries(readForm(page.html).hidden);
    const stranger = newBrowser(gatehouse);
    const theirs = Object.fromEntries(readForm((await stranger.open('/login')).html).hidden);
    for (const [sent, headers] of [
      [{ session: fields['session'] ?? '' }, {}],
      [{ ...fields, csrf: theirs['csrf'] ?? '' }, {}],
      [fields, { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }],
      [fields, { Origin: 'null' }],
      [fields, { 'Sec-Fetch-Site': 'same-site' }],
    ] as [Record<string, string>, Record<string, string>][]) {
      const answer = await postForm(browser, CONFIRM, sent, headers);
      expect(answer.status).toBe(403);
      expect(answer.headers.get('Location')).toBeNull();
      expect(await whoIs(browser)).toBe(user.email);
    }
    // A path of ours by GET: there is nothing.
    expect((await browser.request(`${CONFIRM}?session=${fields['session']}`)).status).toBe(405);
    expect(await whoIs(browser)).toBe(user.email);
  });

  it('does not redirect for altered fields', async () => {
    const own = newBrowser(gatehouse);
    const flow = { browser: own, user, client, parameters: { scope: 'openid' } };
    const { id_token: own_hint = '' } = await getTokens(gatehouse, flow);
    const query = { id_token_hint: own_hint, post_logout_redirect_uri: BYE };
    const page = await own.open(endSessionUrl(query));
    const fields = Object.fromEntries(readForm(page.html).hidden);
    const answer = await postForm(own, CONFIRM, { ...fields, post_logout_redirect_uri: EVIL });

    expect(answer.status).toBe(303);
    expect(new URL(answer.headers.get('Location') ?? '', 'https://x').pathname).toBe(END_SESSION);
    expect(await whoIs(own)).toBeUndefined();
  });

  it('refuses repeated parameters, and requests that are too long', async () => {
    for (const query of [
      `post_logout_redirect_uri=${BYE}&post_logout_redirect_uri=${EVIL}`,
      `state=a&state=b`,
      `client_id=${client.client_id}&client_id=${evil.client_id}`,
      `state=${'x'.repeat(8192)}`,
    ]) {
      const page = await browser.open(`${END_SESSION}?${query}&id_token_hint=${hint}`);
      expect(page.status).toBe(400);
      expect(page.headers.get('Content-Type')).toMatch(/^text\/html/);
      expect(page.html).not.toContain('xxxx');
    }
  });
});
