import { existsSync, readdirSync, readFileSync, type Dirent } from 'node:fs';
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

const isFolder = (entry: Dirent) => entry.isDirectory() && entry.name !== 'node_modules';
const namesOfFolders = (folder: string) =>
  readdirSync(folder, { withFileTypes: true })
    .filter(isFolder)
    .map(({ name }) => name);

/** Where a path that the text names can begin: a folder of the repository, or of `src`. */
const FOLDERS = new Set([...namesOfFolders('.'), ...namesOfFolders('src')]);
const SOURCES = ['.ci', 'bench', 'migrations', 'src', 'test', 'views'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
);
/** Released migrations are frozen, comments included. */
const COMMENTED = SOURCES.filter((file) => /^(?!migrations).*[.](ts|mjs|mts)$/.test(file));

/** The files that a reader of docs/contributing.md creates. */
const EXAMPLES = /(^|\/)(permits?(-[a-z]+)?|billing(-pages)?)\b/;

/** Paths and file names between backticks; `src/` and `.ts` may be left out of a path. */
function pathsNamedIn(text: string): string[] {
  const quotes = text.matchAll(/`([^`\n]+)`/g);
  const words = [...quotes].flatMap(([, quote = '']) => quote.split(' '));
  return words.filter(
    (word) =>
      /^[\w-]+([.][\w-]+)*[.](ts|mjs|mts|eta|css)$/.test(word) ||
      (/^[\w.-]+(\/[\w.-]+)*\/?$/.test(word) &&
        word.includes('/') &&
        FOLDERS.has(word.split('/')[0] ?? '')),
  );
}

function commentsOf(file: string): string {
  return [...readFileSync(file, 'utf8').matchAll(/(?:^|\s)(?:\/\/|\/?\*\*?) .*$/gm)].join('\n');
}

function isMissing(path: string): boolean {
  const found = path.includes('/')
    ? [path, `src/${path}`, `src/${path}.ts`].some((candidate) => existsSync(candidate))
    : SOURCES.some((file) => file.endsWith(`/${path}`)) || existsSync(path);
  return !found && !EXAMPLES.test(path);
}

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

  it.each(PAGES)('%s names paths that exist', (page) => {
    expect(pathsNamedIn(readFileSync(page, 'utf8')).filter(isMissing)).toEqual([]);
  });

  it('names paths that exist in comments of the sources', () => {
    const missing = COMMENTED.flatMap((file) =>
      pathsNamedIn(commentsOf(file))
        .filter(isMissing)
        .map((path) => `${file}: ${path}`),
    );

    expect(missing).toEqual([]);
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
