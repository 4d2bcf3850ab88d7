import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** @throws Error with what it says, if it refuses */
async function promtool(...args: readonly string[]): Promise<string> {
  try {
    return (await run('promtool', args)).stdout;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    throw new Error(
      'promtool is not installed, and this test needs it: apt-get install -y --no-install-recommends prometheus',
      { cause: error },
    );
  }
}

describe('promtool', () => {
  it('accepts the alert rules', async () => {
    expect(await promtool('check', 'rules', 'docs/dashboards/alerts.yml')).toContain('SUCCESS');
  });

  it('sees each alert fire under its condition only', async () => {
    const tests = 'test/guarantees/alerts.promtool.yml';
    expect(await promtool('test', 'rules', tests)).toContain('SUCCESS');
    const names = (text: string, pattern: RegExp) =>
      new Set([...text.matchAll(pattern)].map(([, name]) => name));
    const declared = names(readFileSync('docs/dashboards/alerts.yml', 'utf8'), /alert: (\w+)/g);
    const tested = names(readFileSync(tests, 'utf8'), /alertname: (\w+)\s+exp_alerts/g);
    expect(tested).toEqual(declared);
  });

  it('accepts the queries of the dashboard', async () => {
    const text = readFileSync('docs/dashboards/gatehouse.json', 'utf8');
    const { panels } = JSON.parse(text) as {
      readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
    };
    const rules = panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, index) => ({
        record: `dashboard:query${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m'),
      }));
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-dashboard-'));
    try {
      const file = join(folder, 'rules.yml');
      // JSON is YAML.
      await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
      expect(await promtool('check', 'rules', file)).toContain(`${rules.length} rules found`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
