import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';

import { testServer } from '../support/database/database.js';

/** Runs a script that logs with `log`. @returns how it ended, and what it wrote to standard error */
async function run(
  script: string,
  onText?: (child: ChildProcess) => void,
): Promise<{ code: number | null; lines: readonly string[] }> {
  const url = pathToFileURL(join(testServer().build, 'src/server/log.js')).href;
  const source = `
    import { createLog } from '${url}';
    const log = createLog({ level: 'info', brand: 'bwp' });
    ${script}`;
  const child = execFile(process.execPath, ['--input-type=module', '--eval', source]);
  let text = '';
  child.stderr?.on('data', (chunk: string) => {
    text += chunk;
    onText?.(child);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, lines: text.split('\n').filter((line) => line.startsWith('{')) };
}

const MANY = `for (let n = 0; n < 2000; n += 1) log.info({ n, filler: 'x'.repeat(100) }, 'one');`;

describe('the log', () => {
  it.each([
    ['ends by itself', MANY, 0, 2000],
    ['exits', `${MANY} process.exit(3);`, 3, 2000],
    ['fails', `${MANY} throw new Error('unexpected');`, 1, 2000],
    [
      'exits after a line that is alone',
      `${MANY} setImmediate(() => { log.info({ n: 2000 }, 'one'); process.exit(); });`,
      0,
      2001,
    ],
  ])('holds every line, in order, of a process that %s', async (_how, script, expected, count) => {
    const { code, lines } = await run(script);

    expect(code).toBe(expected);
    const numbers = lines.map((line) => (JSON.parse(line) as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  it('writes a line without waiting for the next one', async () => {
    const endless = `setInterval(() => undefined, 1000);`;
    const { code, lines } = await run(`log.info({}, 'alone'); ${endless}`, (child) =>
      child.kill('SIGKILL'),
    );

    expect(code).toBeNull();
    expect(lines).toHaveLength(1);
  });
});
