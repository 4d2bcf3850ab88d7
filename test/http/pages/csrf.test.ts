import { describe, expect, it } from '@jest/globals';
import Koa from 'koa';
import request from 'supertest';

import { createKeyring } from '../../../src/credentials/secrets/keyring.js';
import { createBrowserSecrets } from '../../../src/http/pages/browser-secret.js';
import { createCsrf } from '../../../src/http/pages/csrf.js';
import { readForm } from '../../../src/http/body/form.js';
import { Problem } from '../../../src/http/errors/problem.js';
import { TEST_SECRET_KEY } from '../../support/app/app.js';

const ISSUER = 'http://localhost:3000';

/** GET answers two tokens, POST whether the form is accepted. */
function createServer(issuer = ISSUER, secretKeys = [TEST_SECRET_KEY]) {
  const browsers = createBrowserSecrets(issuer);
  const csrf = createCsrf({ ...createKeyring(secretKeys), issuer, browsers });
  const app = new Koa();
  app.use(async (ctx) => {
    if (ctx.method === 'GET') {
      ctx.append('Set-Cookie', 'other=1');
      ctx.body = { tokens: [csrf.token(ctx), csrf.token(ctx)] };
      return;
    }
    try {
      csrf.check(ctx, await readForm(ctx));
      ctx.body = 'accepted';
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      ctx.status = error.status;
      ctx.body = error.code;
    }
  });
  return app.callback();
}

/** Opens a page, and returns what a browser has then. */
async function open(server = createServer(), cookie?: string) {
  const answer = await request(server)
    .get('/')
    .set(cookie === undefined ? {} : { Cookie: cookie });
  const { tokens } = answer.body as { tokens: [string, string] };
  const set = answer.get('Set-Cookie') ?? [];
  const ours = set.filter((line) => line.includes('gatehouse_browser'));
  return { token: tokens[0], tokens, set, ours, cookie: ours[0]?.split(';')[0] ?? '' };
}

async function post(
  { cookie, ...fields }: { cookie?: string; csrf?: string | string[] },
  headers: Record<string, string> = {},
  server = createServer(),
): Promise<string> {
  const body = new URLSearchParams(
    [fields.csrf ?? []].flat().map((token): [string, string] => ['csrf', token]),
  );
  const answer = await request(server)
    .post('/')
    .set({ ...headers, ...(cookie !== undefined && { Cookie: cookie }) })
    .type('form')
    .send(body.toString());
  return `${answer.status} ${answer.text}`;
}

describe('the cookie', () => {
  it('is set once for a page of several forms, beside other cookies, out of reach of scripts', async () => {
    const { set, tokens } = await open();
    expect(set).toEqual([
      'other=1',
      expect.stringMatching(
        /^gatehouse_browser_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/,
      ),
    ]);
    expect(tokens[0]).toBe(tokens[1]);
  });

  it('is limited to this host and https if the issuer is https', async () => {
    const { ours } = await open(createServer('https://auth.example.com'));
    expect(ours).toEqual([
      expect.stringMatching(
        /^__Host-gatehouse_browser_[0-9a-f]{8}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ]);
  });

  it('stays as it is while the browser has it', async () => {
    const first = await open();
    const second = await open(createServer(), `a=b; ${first.cookie}`);
    expect(second.ours).toEqual([]);
    expect(second.token).toBe(first.token);
  });

  it('is replaced if it cannot be ours', async () => {
    expect((await open(createServer(), 'gatehouse_browser_00=guessable')).ours).toHaveLength(1);
  });

  it('is ignored without its prefix by an https issuer', async () => {
    const server = createServer('https://auth.example.com');
    const plain = await open();
    expect((await open(server, plain.cookie)).ours).toHaveLength(1);
    expect(await post({ cookie: plain.cookie, csrf: plain.token }, {}, server)).toBe(
      '403 forbidden',
    );
  });

  it('does not show the token', async () => {
    const { cookie, token } = await open();
    expect(cookie).not.toContain(token);
  });
});

describe('a form', () => {
  it('is accepted with the token of its own cookie', async () => {
    const { cookie, token } = await open();
    expect(await post({ cookie, csrf: token })).toBe('200 accepted');
  });

  it.each([
    ['from our own page', { Origin: ISSUER, 'Sec-Fetch-Site': 'same-origin' }, '200 accepted'],
    ['reloaded by its user', { 'Sec-Fetch-Site': 'none' }, '200 accepted'],
    ['from another origin', { Origin: 'https://evil.example' }, '403 forbidden'],
    ['from another port', { Origin: 'http://localhost:3001' }, '403 forbidden'],
    ['from another scheme', { Origin: 'https://localhost:3000' }, '403 forbidden'],
    ['from an origin that hides', { Origin: 'null' }, '403 forbidden'],
    ['from a sibling domain', { 'Sec-Fetch-Site': 'same-site' }, '403 forbidden'],
    ['from another site', { 'Sec-Fetch-Site': 'cross-site' }, '403 forbidden'],
    [
      'from another site, though its origin is told as ours',
      { Origin: ISSUER, 'Sec-Fetch-Site': 'cross-site' },
      '403 forbidden',
    ],
  ])('%s: %j is %s', async (_from, headers, answer) => {
    const { cookie, token } = await open();
    expect(await post({ cookie, csrf: token }, headers)).toBe(answer);
  });

  it('is refused without its cookie or its token, or with two tokens', async () => {
    const { cookie, token } = await open();
    expect(await post({ csrf: token })).toBe('403 forbidden');
    expect(await post({ cookie })).toBe('403 forbidden');
    expect(await post({ cookie, csrf: '' })).toBe('403 forbidden');
    expect(await post({ cookie, csrf: [token, token] })).toBe('403 forbidden');
  });

  it('is refused with the token of another browser, or an altered one', async () => {
    const [mine, other] = [await open(), await open()];
    const altered = mine.token.replace(/.$/, (last) => (last === '0' ? '1' : '0'));

    expect(mine.token).not.toBe(other.token);
    expect(await post({ cookie: mine.cookie, csrf: other.token })).toBe('403 forbidden');
    expect(await post({ cookie: mine.cookie, csrf: altered })).toBe('403 forbidden');
    expect(await post({ cookie: mine.cookie, csrf: mine.cookie })).toBe('403 forbidden');
  });

  it('is refused with a forged cookie and token', async () => {
    const foreign = await open(
      createServer(ISSUER, ['another secret key, which is not ours at all']),
    );
    expect(await post({ cookie: foreign.cookie, csrf: foreign.token })).toBe('403 forbidden');
  });

  it('is still accepted after the secret key was rotated', async () => {
    const { cookie, token } = await open();
    const rotated = createServer(ISSUER, [
      'a newer secret key that makes from now on',
      TEST_SECRET_KEY,
    ]);
    expect(await post({ cookie, csrf: token }, {}, rotated)).toBe('200 accepted');
  });
});
