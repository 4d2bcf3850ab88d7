import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app.js';
import { createCli } from '../support/cli.js';

describe('signing-keys', () => {
  let gatehouse: TestApp;
  beforeAll(async () => {
    gatehouse = await createTestApp();
  });
  afterAll(() => gatehouse.close());

  it('are rotated, listed, and not rotated again meanwhile', async () => {
    const cli = createCli(gatehouse.database);
    const json = async (verb: string): Promise<unknown> =>
      JSON.parse((await cli(['signing-keys', verb, '--json'])).stdout);

    // Every installation begins with one.
    const [first] = (await json('list')) as object[];
    expect(first).toMatchObject({ state: 'active', algorithm: 'ES256', endsAt: null });
    const second = await json('rotate');
    expect(second).toMatchObject({ state: 'pending' });
    expect(await json('list')).toMatchObject([
      second,
      { ...Object(first), endsAt: expect.any(String) },
    ]);

    const again = await cli(['signing-keys', 'rotate']);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain((second as { signsFrom: string }).signsFrom);
    const entries = await gatehouse.database.query(
      `SELECT actor, subject FROM audit_log WHERE action = 'signing_key.rotate' ORDER BY id`,
    );
    expect(entries).toMatchObject([{ actor: 'operator', subject: (second as { id: string }).id }]);
  });
});
