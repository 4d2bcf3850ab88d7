import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';

import { COMMANDS } from '../../src/cli/commands/index.js';
import { runCommandLine } from '../../src/cli/run.js';

const ESCAPE = '\u001b[';

/** Runs a command that needs no database. */
async function run(
  words: readonly string[],
  {
    env = {},
    isTTY = false,
    columns = 80,
  }: { env?: object; isTTY?: boolean; columns?: number } = {},
) {
  const output = Object.assign(new PassThrough(), { isTTY, columns });
  const messages = Object.assign(new PassThrough(), { isTTY, columns });
  const ended = runCommandLine(words, {
    env: { ...env },
    directory: '/',
    input: Readable.from([]),
    output,
    messages,
  }).finally(() => {
    output.end();
    messages.end();
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(output), text(messages)]);
  return { code, stdout, stderr };
}

describe('help', () => {
  it.each(COMMANDS.map((command) => [command.name, command] as const))(
    'of %s shows its usage, options, examples and the exit codes, without a database',
    async (name, { options = {}, examples }) => {
      const { code, stdout, stderr } = await run([...name.split(' '), '--help']);

      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: npm run -s cli -- ${name} `);
      for (const option of Object.keys(options)) expect(stdout).toContain(`--${option}`);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) {
        expect(example).toMatch(new RegExp(`^cli ${name}( |$)`));
        expect(stdout).toContain(example.replace('cli ', 'npm run -s cli -- '));
      }
      expect(stdout).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 /);
      expect(await run(['help', ...name.split(' ')])).toEqual({ code, stdout, stderr });
    },
  );

  it('lists the commands of the program and of a noun', async () => {
    const program = await run(['--help']);
    const noun = await run(['api-keys', '--help']);

    expect([program.code, noun.code]).toEqual([0, 0]);
    for (const { name } of COMMANDS) {
      const [first, verb] = name.split(' ');
      expect(program.stdout).toMatch(new RegExp(`^  ${first}( |$)`, 'm'));
      if (first === 'api-keys') expect(noun.stdout).toMatch(new RegExp(`^  ${verb}( |$)`, 'm'));
    }
  });

  it('is fitted to the terminal', async () => {
    const { stdout } = await run(['api-keys', 'update', '--help'], {
      isTTY: true,
      columns: 60,
      env: { NO_COLOR: '1' },
    });
    const options = stdout.slice(stdout.indexOf('\nOptions'), stdout.indexOf('Examples:'));

    expect(Math.max(...options.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(60);
  });

  it('is shown in docs/command-line.md for every command', async () => {
    const page = await readFile('docs/command-line.md', 'utf8');

    for (const { name, summary } of COMMANDS) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` `));
      expect(row).toContain(`| ${summary.replaceAll('|', '\\|')}`);
    }
    const named = [...page.matchAll(/^\| `([a-z][a-z -]*)` /gm)].map(([, name]) => name);
    expect(named).toEqual(COMMANDS.map(({ name }) => name));
  });
});

describe('the version', () => {
  it('is that of the package', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };

    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});

describe('a typing error', () => {
  it.each([
    [['tenant', 'list'], "Unknown command 'tenant'. Did you mean tenants?"],
    [['tenants', 'lst'], "Unknown command 'lst'. Did you mean list?"],
    [['api-keys', 'list', '--tenent', 'x'], "Unknown option '--tenent'. Did you mean --tenant?"],
    [
      ['api-keys', 'list', '--tenant', 'x', '--status', 'revokd'],
      '--status: must be one of active, revoked, expired: did you mean revoked?',
    ],
    [['api-keys', 'show'], "Missing required argument 'id'."],
    [['api-keys', 'list'], '--tenant is missing.'],
    [['tenants', 'list', 'x'], 'Too many arguments'],
    [['completion', 'tcsh'], '<shell>: must be one of bash, zsh, fish.'],
  ])('is answered with a suggestion and exit code 2: %j', async (words, message) => {
    const { code, stdout, stderr } = await run(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);

    const json = await run([...words, '--json']);
    expect({ code: json.code, stdout: json.stdout }).toEqual({ code: 2, stdout: '' });
    expect(JSON.parse(json.stderr)).toEqual({
      error: { code: 'misused', message: expect.stringContaining(message) },
    });
  });

  it('never takes an option as consent: a value that looks like --yes stays a value', async () => {
    const { code, stderr } = await run(['api-keys', 'revoke', 'key_1', '--reason', '--yes']);

    expect(code).not.toBe(0);
    expect(stderr).not.toContain('installation');
  });
});

describe('colours', () => {
  it.each([
    ['no terminal', {}, false, false],
    ['a terminal', {}, true, true],
    ['a terminal that cannot', { TERM: 'dumb' }, true, false],
    ['NO_COLOR', { NO_COLOR: '1' }, true, false],
    ['an empty NO_COLOR', { NO_COLOR: '' }, true, true],
    ['FORCE_COLOR', { FORCE_COLOR: '1' }, false, true],
    ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, true, false],
    ['both', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
  ])('with %s', async (_name, env, isTTY, isColored) => {
    for (const words of [['roles', 'list'], ['--help']]) {
      const { stdout } = await run(words, { env, isTTY });
      expect(stdout.includes(ESCAPE)).toBe(isColored);
    }
    const wrong = await run(['nothing'], { env, isTTY });
    expect(wrong.stderr.includes(ESCAPE)).toBe(isColored);
    expect((await run(['roles', 'list', '--json'], { env, isTTY })).stdout).not.toContain(ESCAPE);
  });
});

describe('tables', () => {
  it('fit the terminal, and say so', async () => {
    const { stdout, stderr } = await run(['scopes', 'list'], {
      isTTY: true,
      columns: 60,
      env: { NO_COLOR: '1' },
    });

    const lines = stdout.trimEnd().split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60);
    expect(stdout).toContain('…');
    expect(stdout).toContain('change_orders:approve ');
    expect(stderr).toContain('--wide');
  });

  it.each([
    ['--wide', { isTTY: true, columns: 60 }, ['--wide']],
    ['no terminal', {}, []],
  ])('are complete with %s', async (_name, terminal, words) => {
    const { stdout, stderr } = await run(['scopes', 'list', ...words], {
      ...terminal,
      env: { NO_COLOR: '1' },
    });

    expect(stdout).not.toContain('…');
    expect(stdout).toContain('Create and update contacts, but not delete them.');
    expect(stdout).toContain('Workflow');
    expect(stderr).toBe('');
  });

  it.each([1, 10, 25, 40])('fit a terminal with %i columns', async (columns) => {
    const { stdout } = await run(['roles', 'list'], {
      isTTY: true,
      columns,
      env: { NO_COLOR: '1' },
    });

    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(
      columns,
    );
  });
});

describe('scopes list and roles list', () => {
  it('show the catalogue as JSON', async () => {
    const scopes = JSON.parse((await run(['scopes', 'list', '--json'])).stdout) as object[];
    expect(scopes).toHaveLength(46);
    expect(scopes).toContainEqual({
      scope: 'api_keys:manage',
      group: 'Administration',
      description: 'Create, change, rotate and revoke API keys.',
      public: false,
      basic: false,
      grantedTo: 'keys',
    });
    const roles = JSON.parse((await run(['roles', 'list', '--json'])).stdout) as {
      role: string;
      throughOauth: string[];
    }[];
    expect(roles.map(({ role }) => role)).toEqual([
      'company_admin',
      'manager',
      'member',
      'field_crew',
      'viewer',
    ]);
    expect(roles[0]?.throughOauth).not.toContain('api_keys:manage');
  });
});
