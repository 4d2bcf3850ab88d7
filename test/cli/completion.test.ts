import { execFile } from 'node:child_process';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

import { COMMANDS } from '../../src/cli/commands/index.js';
import { runCommandLine } from '../../src/cli/run.js';

async function scriptFor(...words: readonly string[]): Promise<string> {
  const output = new PassThrough();
  const ended = runCommandLine(['completion', ...words], {
    env: {},
    directory: '/',
    input: Readable.from([]),
    output,
    messages: new PassThrough().resume(),
  }).finally(() => output.end());
  const [code, script] = await Promise.all([ended, text(output)]);
  expect(code).toBe(0);
  return script;
}

/** Completes the last word in a real bash. */
async function complete(script: string, ...words: readonly string[]): Promise<readonly string[]> {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const { stdout } = await promisify(execFile)('bash', [
    '--norc',
    '--noprofile',
    '-uc',
    `${script}
     COMP_WORDS=(gatehouse ${quoted}); COMP_CWORD=${words.length}
     _gatehouse_completion
     printf '%s\\n' "\${COMPREPLY[@]:-}"`,
  ]);
  return stdout.split('\n').filter(Boolean);
}

describe('completion in bash', () => {
  it.each([
    [['api-k'], ['api-keys']],
    [
      ['api-keys', ''],
      ['create', 'list', 'show', 'update', 'rotate', 'revoke', 'import'],
    ],
    [['api-keys', 'create', '--exp'], ['--expires-in']],
    [
      ['api-keys', 'create', '--env', ''],
      ['live', 'test'],
    ],
    [['api-keys', 'create', '--name', 'list', '--sco'], ['--scopes']],
    [['--json', 'tenants', 'sus'], ['suspend']],
    [['completion', 'f'], ['fish']],
    [['api-keys', 'import', '--file', 'package-l'], ['package-lock.json']],
    [['api-keys', 'create', '--name', '--'], []],
  ])('of %j offers %j', async (words, expected) => {
    const found = await complete(await scriptFor('bash'), ...words);

    if (words.at(-1) === '') expect(found).toEqual(expect.arrayContaining([...expected]));
    else expect(found).toEqual(expected);
  });

  it('knows every command', async () => {
    const script = await scriptFor('bash');
    for (const { name } of COMMANDS.filter((command) => command.name.includes(' '))) {
      const [noun = '', verb = ''] = name.split(' ');
      expect(await complete(script, noun, verb)).toEqual([verb]);
    }
  }, 60_000);

  it('completes the name that is given, and refuses text that a shell would run', async () => {
    expect(await scriptFor('bash', '--name', 'gh-cli')).toContain(
      'complete -F _gh_cli_completion gh-cli',
    );
    const code = await runCommandLine(['completion', 'bash', '--name', 'x;reboot'], {
      env: {},
      directory: '/',
      input: Readable.from([]),
      output: new PassThrough().resume(),
      messages: new PassThrough().resume(),
    });
    expect(code).toBe(2);
  });
});

describe('completion in zsh and fish', () => {
  it.each(['zsh', 'fish'])('names every command and option: %s', async (shell) => {
    const script = await scriptFor(shell);
    for (const { name, options = {} } of COMMANDS) {
      expect(script).toContain(name);
      for (const option of Object.keys(options)) expect(script).toContain(option);
    }
  });
});
