import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from '@jest/globals';

import { readConfig, SETTINGS } from '../../src/config.js';

const DECISIONS = readdirSync('docs/decisions').map((name) => join('docs/decisions', name));
const PAGES = [
  'README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** The anchor that GitHub gives to a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsIn(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    anchorOf(text),
  );
}

/** Links of a page to files of the repository, except those that lead nowhere. */
function brokenLinksOf(page: string): string[] {
  const links = [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)\s]+)\)/g)];
  return links
    .map(([, target = '']) => target)
    .filter((target) => {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      return !existsSync(file) || (anchor !== undefined && !anchorsIn(file).includes(anchor));
    });
}

describe('the documentation', () => {
  it('lists every variable of the configuration once, and no other', () => {
    const rows = readFileSync('docs/configuration.md', 'utf8').matchAll(/^\| (`[A-Z].*?) +\|/gm);
    const names = [...rows].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));

    expect(names.toSorted()).toEqual([...SETTINGS].toSorted());
  });

  it('has an example of the environment with every variable and its default', () => {
    const example = parseEnv(readFileSync('.env.example', 'utf8')) as Record<string, string>;

    expect(Object.keys(example).toSorted()).toEqual([...SETTINGS].toSorted());
    expect(readConfig(example, '/srv')).toEqual(readConfig({}, '/srv'));
  });

  it.each(PAGES)('%s has links that lead somewhere', (page) => {
    expect(brokenLinksOf(page)).toEqual([]);
  });

  it.each(DECISIONS)('%s states number, status, date, context, decision, consequences', (page) => {
    const text = readFileSync(page, 'utf8');
    const number = Number(/(\d{4})-/.exec(page)?.[1]);

    expect(text).toMatch(new RegExp(`^# ${number}[.] \\S`));
    expect(text).toMatch(/^Status: (accepted|superseded)/m);
    expect(text).toMatch(/\bDate: \d{4}-\d\d-\d\d/);
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
      'Context',
      'Decision',
      'Consequences',
    ]);
  });
});
