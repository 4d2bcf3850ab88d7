import { beforeAll, describe, expect, it } from '@jest/globals';

import { authorizeUrl, createBrowser, createPkce, registerClient } from '../support/oauth/oauth.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** Texts of failed sign-ins. */
describe('the pages of an authorization', () => {
  const gatehouse = useGatehouse();
  let url: string;
  beforeAll(async () => {
    const { client_id } = await registerClient(gatehouse);
    const { challenge } = createPkce();
    url = authorizeUrl(gatehouse.config.ISSUER, { client_id, code_challenge: challenge });
  });

  const open = () => createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });

  it('tell the user what to do about an expired page', async () => {
    const browser = open();
    const page = await browser.open(url);
    await gatehouse.database.query('DELETE FROM oauth_artifacts');
    const { status, html } = await browser.open(page.url);
    expect(status).toBe(404);
    expect(html).toContain('This page has expired. Go back to the app and start again.');
    expect(html).not.toContain('There is nothing here');
  });

  it('tell the user what to do about an unknown app', async () => {
    const { status, html } = await open().open(url.replace(/client_id=\w+/, 'client_id=cli_x'));
    expect(status).toBe(400);
    expect(html).toContain('This app is unknown here');
    expect(html).toContain('It has to register again');
    expect(html).toContain('<code>invalid_client</code>');
  });

  it('mark the fields of a refused login, and not those of a throttled one', async () => {
    const browser = open();
    const page = await browser.open(url);
    const fields = { email: 'nobody@example.com', password: 'wrong' };
    const wrong = await browser.submit(page, fields);
    expect(wrong.status).toBe(422);
    expect(wrong.html.match(/aria-invalid="true" aria-describedby="error"/g)).toHaveLength(2);

    for (let attempts = 1; attempts < 10; attempts += 1) await browser.submit(page, fields);
    const throttled = await browser.submit(page, fields);
    expect(throttled.status).toBe(429);
    expect(throttled.html).toContain('Too many attempts. Try again in');
    expect(throttled.html).not.toContain('aria-invalid="true"');
  });
});
