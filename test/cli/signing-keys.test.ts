import { describe, expect, it } from '@jest/globals';

import { createCli } from '../support/app/cli.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

interface Listed {
  readonly id: string;
  readonly algorithm: string;
  readonly signsFrom: string;
  readonly endsAt: string | null;
}

describe('signing-keys', () => {
  const gatehouse = useGatehouse();

  it('are rotated, listed, and not rotated again meanwhile', async () => {
    const cli = createCli(gatehouse.database);
    const json = async (...args: string[]) =>
      JSON.parse((await cli(['signing-keys', ...args, '--json'])).stdout) as Listed[];

    // Every installation begins with one of each algorithm.
    const first = await json('list');
    expect(first.map(({ algorithm }) => algorithm).toSorted()).toEqual(['ES256', 'RS256']);
    for (const key of first) expect(key).toMatchObject({ state: 'active', endsAt: null });

    const [second] = await json('rotate', '--algorithm', 'RS256');
    expect(second).toMatchObject({ state: 'pending', algorithm: 'RS256' });
    const listed = await json('list');
    expect(listed).toHaveLength(3);
    expect(listed[0]).toEqual(second);
    expect(listed.filter(({ endsAt }) => endsAt !== null)).toMatchObject([{ algorithm: 'RS256' }]);

    // All or none: the other algorithm is not rotated either.
    const again = await cli(['signing-keys', 'rotate']);
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain(second?.signsFrom);
    expect(await json('list')).toEqual(listed);

    const [third] = await json('rotate', '--algorithm', 'ES256');
    const entries = await gatehouse.database.query(
      `SELECT actor, subject FROM audit_log WHERE action = 'signing_key.rotate' ORDER BY id`,
    );
    expect(entries).toMatchObject([
      { actor: 'operator', subject: second?.id },
      { actor: 'operator', subject: third?.id },
    ]);
  });

  it('rotates all algorithms unless one is named', async () => {
    const cli = createCli(gatehouse.database);
    await gatehouse.database.query('DELETE FROM signing_keys');
    const { stdout } = await cli(['signing-keys', 'rotate', '--json']);

    expect((JSON.parse(stdout) as Listed[]).map(({ algorithm }) => algorithm)).toEqual([
      'RS256',
      'ES256',
    ]);
  });

  it('refuses an algorithm that does not exist as misuse', async () => {
    const answer = await createCli(gatehouse.database)([
      'signing-keys',
      'rotate',
      '--algorithm',
      'none',
    ]);

    expect(answer).toMatchObject({ code: 2, stdout: '' });
  });
});
