import { beforeAll, describe, expect, it } from '@jest/globals';

import type { Tenant } from '../../src/tenants/tenant.entity.js';
import { createCli } from '../support/app/cli.js';
import { defaultSpaceOf } from '../support/app/spaces.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

/** A terminal sequence, C1 controls, newlines, direction characters, and a tag from beyond the BMP. */
const HOSTILE = 'a\u001b]0;owned\u0007\u009b31m\r\n\u2028\u202eb\u2066\u200e\u061c\u{e0041}c';
const ESCAPED =
  'a\\u{1b}]0;owned\\u{7}\\u{9b}31m\\u{d}\\u{a}\\u{2028}\\u{202e}b\\u{2066}\\u{200e}\\u{61c}\\u{e0041}c';
/** Everything that a terminal would act on, but for the newline that ends each line of ours. */
const RAW = /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]/u;

describe('the output of the command line', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let tenant: Tenant;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    tenant = await gatehouse.createTenant('acme');
    const id = await defaultSpaceOf(gatehouse, tenant);
    // As rows from before the rule for names are.
    await gatehouse.database.query('UPDATE spaces SET name = $1 WHERE id = $2', [HOSTILE, id]);
    await gatehouse.createKey(tenant, { name: 'Old' });
    await gatehouse.database.query('UPDATE credentials SET name = $1', [HOSTILE]);
  });

  it.each([
    ['spaces', 'list'],
    ['api-keys', 'list'],
  ])('shows old names escaped: %s %s', async (...words) => {
    const { code, stdout } = await cli([...words, '--tenant', 'acme']);

    expect({ code, lines: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 2 });
    expect(stdout).toContain(ESCAPED);
    expect(stdout).not.toMatch(RAW);
  });

  it('keeps the value in JSON, in its notation', async () => {
    const { stdout } = await cli(['spaces', 'list', '--tenant', 'acme', '--json']);

    expect(stdout).not.toMatch(RAW);
    expect(JSON.parse(stdout)).toMatchObject([{ name: HOSTILE }]);
  });

  it.each([
    ['a name', ['spaces', 'create', 'a\u001b[2J', '--tenant', 'acme'], 'control characters'],
    ['a tenant', ['spaces', 'list', '--tenant', 'x\u001b[2J\ny'], 'There is no such tenant'],
    ['a tenant name', ['tenants', 'create', 'a\u202eb'], 'direction characters'],
    ['an option', ['spaces', 'list', '--x\u001b[2J'], '\\u{1b}'],
  ])('repeats %s escaped where it is refused', async (_what, words, said) => {
    const { code, stdout, stderr } = await cli(words);

    expect(code).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(RAW);
  });
});
