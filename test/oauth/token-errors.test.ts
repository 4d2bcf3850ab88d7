import { beforeAll, describe, expect, it } from '@jest/globals';

import {
  getTokens,
  post,
  REDIRECT,
  registerClient,
  type TestClient,
} from '../support/oauth/oauth.js';
import {
  authenticationOf,
  expectOAuthError,
  getCodeForm,
  refresh,
  statusOfToken,
} from '../support/oauth/oauth-requests.js';
import { useOAuthWorld } from '../support/oauth/use-oauth-world.js';

const basic = (id: string, secret: string) => ({
  Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
});
const without = (form: Record<string, string>, ...names: string[]) =>
  Object.fromEntries(Object.entries(form).filter(([name]) => !names.includes(name)));

describe('POST /api/v1/oauth/token', () => {
  const gatehouse = useOAuthWorld();
  let other: TestClient;
  let byBasic: TestClient;
  let byPost: TestClient;
  beforeAll(async () => {
    other = await registerClient(gatehouse);
    const confidential = (token_endpoint_auth_method: string) =>
      registerClient(gatehouse, { token_endpoint_auth_method });
    byBasic = await confidential('client_secret_basic');
    byPost = await confidential('client_secret_post');
  });

  const token = (fields: Record<string, string>, headers = {}) =>
    post(gatehouse, 'token', fields, headers);
  const raw = (body: string, type = 'application/x-www-form-urlencoded', headers = {}) =>
    fetch(`${gatehouse.origin}/api/v1/oauth/token`, {
      method: 'POST',
      headers: { 'Content-Type': type, ...headers },
      body,
    });

  describe('200', () => {
    it('carries Cache-Control: no-store', async () => {
      const answer = await token(
        await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user }),
      );

      expect(answer.status).toBe(200);
      expect(answer.headers.get('Cache-Control')).toContain('no-store');
      expect(await answer.json()).toEqual({
        access_token: expect.stringMatching(/^bwp_at_[0-9A-Za-z]{49}$/),
        refresh_token: expect.stringMatching(/^bwp_rt_[0-9A-Za-z]{49}$/),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'contacts:read offline_access',
      });
    });

    it('answers clients that use their registered authentication method', async () => {
      const form = await getCodeForm(gatehouse, { client: byPost, user: gatehouse.user });
      expect((await token(form)).status).toBe(200);
      const headers = basic(byBasic.client_id, byBasic.client_secret ?? '');
      const named = await getCodeForm(gatehouse, { client: byBasic, user: gatehouse.user });
      expect((await token(without(named, 'client_secret'), headers)).status).toBe(200);
      const unnamed = await getCodeForm(gatehouse, { client: byBasic, user: gatehouse.user });
      expect((await token(without(unnamed, 'client_secret', 'client_id'), headers)).status).toBe(
        200,
      );
    });
  });

  describe('401', () => {
    const form = { grant_type: 'refresh_token', refresh_token: 'x' };

    it('answers invalid_client to an unknown client', async () => {
      for (const id of ['cli_unknown', 'x', 'cli_00000000000000000000000000000000', 'cli_\0']) {
        await expectOAuthError(await token({ ...form, client_id: id }), 401, 'invalid_client');
      }
    });

    it('carries WWW-Authenticate if the header was used', async () => {
      const answer = await token(form, basic('cli_unknown', 'secret'));

      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/);
      await expectOAuthError(answer, 401, 'invalid_client');
    });

    it('answers invalid_client to a header that is not of a client', async () => {
      const code = { grant_type: 'authorization_code', code: 'x', redirect_uri: REDIRECT };
      const headers = [
        basic('cli_ü:%', 'a+b c'),
        basic(byBasic.client_id, 'ü'),
        basic(gatehouse.client.client_id, ''),
        { Authorization: 'Basic !' },
        { Authorization: `Basic ${Buffer.from('a%ZZ:b%').toString('base64')}` },
        { Authorization: 'Bearer x' },
      ];
      for (const fields of [form, { ...code, code_verifier: 'a'.repeat(43) }]) {
        for (const header of headers) {
          const answer = await token(fields, header);
          expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/);
          await expectOAuthError(answer, 401, 'invalid_client');
        }
      }
    });

    it('answers invalid_client to a wrong secret', async () => {
      for (const secret of ['wrong', byPost.client_secret ?? '']) {
        const answer = await token(form, basic(byBasic.client_id, secret));
        expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/);
        await expectOAuthError(answer, 401, 'invalid_client');
      }
      const posted = { ...form, client_id: byPost.client_id, client_secret: 'wrong' };
      await expectOAuthError(await token(posted), 401, 'invalid_client');
    });

    it('answers invalid_client to another authentication method', async () => {
      for (const answer of [
        await token({ ...form, client_id: byBasic.client_id }),
        await token({ ...form, client_id: byPost.client_id }),
        await token({ ...form, client_id: gatehouse.client.client_id, client_secret: 'none' }),
      ]) {
        await expectOAuthError(answer, 401, 'invalid_client');
      }
    });
  });

  describe('400', () => {
    it('quotes a scope in the characters that error_description may have (RFC 6749 §5.2)', async () => {
      const { refresh_token: token = '' } = await getTokens(gatehouse, {
        client: gatehouse.client,
        user: gatehouse.user,
      });
      const answer = await refresh(gatehouse, gatehouse.client, token, { scope: 'a"b\\c\td\0é☃' });
      expect([answer.status, await answer.json()]).toEqual([
        400,
        { error: 'invalid_scope', error_description: "not granted: a'b?c?d???" },
      ]);
    });

    it('answers an error to a grant type that only some parsers read as a refresh', async () => {
      const { refresh_token: token = '' } = await getTokens(gatehouse, {
        client: gatehouse.client,
        user: gatehouse.user,
      });
      const more = `grant_type=refresh_token&refresh_token=${token}&client_id=${gatehouse.client.client_id}`;
      // Some parsers read a leading question mark as part of the first name.
      await expectOAuthError(
        await raw(`?grant_type=authorization_code&${more}`),
        400,
        'invalid_grant',
      );
      expect((await refresh(gatehouse, gatehouse.client, token)).status).toBe(200);
    });

    it('answers invalid_request for a missing parameter', async () => {
      const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
      for (const name of ['grant_type', 'code', 'redirect_uri', 'client_id']) {
        await expectOAuthError(await token(without(form, name)), 400, 'invalid_request');
      }
      await expectOAuthError(await token(without(form, 'code_verifier')), 400, 'invalid_grant');
      await expectOAuthError(
        await token({ grant_type: 'refresh_token', client_id: gatehouse.client.client_id }),
        400,
        'invalid_request',
      );
      expect((await token(form)).status).toBe(200);
    });

    it('answers invalid_grant for a wrong verifier, redirect or client, and leaves the code valid', async () => {
      const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
      for (const wrong of [
        { code_verifier: 'a'.repeat(43) },
        { code_verifier: '' },
        { redirect_uri: 'https://app.example.com/callback/' },
        { client_id: other.client_id },
        { code: gatehouse.format.mint('ac') },
        { code: 'garbage' },
        { code: '\0' },
      ]) {
        await expectOAuthError(await token({ ...form, ...wrong }), 400, 'invalid_grant');
      }
      expect((await token(form)).status).toBe(200);
    });

    it('revokes the tokens of a code that is used again', async () => {
      const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
      const tokens = (await (await token(form)).json()) as Record<string, string>;
      expect(await statusOfToken(gatehouse, tokens['access_token'] ?? '')).toBe(200);

      await expectOAuthError(await token(form), 400, 'invalid_grant');
      expect(await statusOfToken(gatehouse, tokens['access_token'] ?? '')).toBe(401);
      const refreshed = await refresh(gatehouse, gatehouse.client, tokens['refresh_token']);
      await expectOAuthError(refreshed, 400, 'invalid_grant');
    });

    it('answers unsupported_grant_type for an unknown grant type', async () => {
      for (const type of ['password', 'implicit', 'x', 'toString', '\0']) {
        for (const who of [authenticationOf(gatehouse.client), authenticationOf(byPost)]) {
          const form = {
            grant_type: type,
            username: gatehouse.user.email,
            password: 'x',
            scope: 'openid',
          };
          const answer = await token({ ...form, ...who });
          await expectOAuthError(answer, 400, 'unsupported_grant_type');
        }
      }
    });

    it('answers unauthorized_client to a refresh by a client that did not register for it', async () => {
      const codeOnly = await registerClient(gatehouse, { grant_types: ['authorization_code'] });
      const tokens = await getTokens(gatehouse, { client: codeOnly, user: gatehouse.user });
      expect(tokens.refresh_token).toBeUndefined();
      expect(tokens.scope).toBe('contacts:read');
      const answer = await refresh(gatehouse, codeOnly, gatehouse.format.mint('rt'));
      expect(answer.status).toBe(400);
    });

    it('answers invalid_request for repeated parameters', async () => {
      const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
      for (const name of Object.keys(form)) {
        const body = new URLSearchParams([...Object.entries(form), [name, form[name] ?? '']]);
        await expectOAuthError(await raw(body.toString()), 400, 'invalid_request');
      }
      expect((await token(form)).status).toBe(200);
    });
  });

  describe('other answers', () => {
    it('are JSON for any Accept header', async () => {
      for (const accept of [
        'text/html',
        'text/html,application/xhtml+xml,*/*;q=0.8',
        'image/png',
      ]) {
        const headers = { Accept: accept };
        const nothing = { client_id: gatehouse.client.client_id };
        await expectOAuthError(await token(nothing, headers), 400, 'invalid_request');
        const unknown = { grant_type: 'refresh_token', client_id: 'cli_x' };
        await expectOAuthError(await token(unknown, headers), 401, 'invalid_client');
      }
    });

    it('are 415 for another type and 413 for a large body', async () => {
      const json = JSON.stringify({
        grant_type: 'refresh_token',
        client_id: gatehouse.client.client_id,
      });
      const unsupported = await raw(json, 'application/json');
      expect([400, 415]).toContain(unsupported.status);
      await expectOAuthError(unsupported, unsupported.status, 'invalid_request');
      const form = `grant_type=refresh_token&client_id=${gatehouse.client.client_id}`;
      const type = 'application/x-www-form-urlencoded';
      for (const encoding of ['gzip', 'zstd', 'identity, br']) {
        const compressed = await raw(form, type, { 'Content-Encoding': encoding });
        await expectOAuthError(compressed, 415, 'invalid_request');
      }
      const large = await raw(
        `client_id=${gatehouse.client.client_id}&code=${'a'.repeat(300_000)}`,
      );
      expect([400, 413]).toContain(large.status);
      await expectOAuthError(large, large.status, 'invalid_request');
    });

    it('are 405 for other methods', async () => {
      for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
        const answer = await fetch(`${gatehouse.origin}/api/v1/oauth/token`, { method });
        expect(answer.headers.get('Allow')).toContain('POST');
        await expectOAuthError(answer, 405, 'invalid_request');
      }
    });

    it('are invalid_grant for an expired code', async () => {
      const form = await getCodeForm(gatehouse, { client: gatehouse.client, user: gatehouse.user });
      await gatehouse.database.shiftClock('61 seconds');
      await expectOAuthError(await token(form), 400, 'invalid_grant');
      await gatehouse.database.shiftClock('0 seconds');
      expect((await token(form)).status).toBe(200);
    });
  });
});
