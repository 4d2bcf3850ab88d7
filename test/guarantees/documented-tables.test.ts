import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';

import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** The rows of the table below a heading, without its head. */
function tableBelow(markdown: string, heading: string): string[][] {
  const lines = markdown.split(`\n## ${heading}\n`)[1]?.trimStart().split('\n') ?? [];
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

it('docs/operations.md states for each table of the database how many rows it holds at most', async () => {
  const operations = await readFile('docs/operations.md', 'utf8');
  const rows = tableBelow(operations, 'Tables and their bounds');
  for (const cells of rows)
    expect(cells).toEqual(Array.from({ length: 4 }, () => expect.stringMatching(/./)));

  const documented = rows.flatMap(([names = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  );
  const tables = await database.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`,
  );
  expect(documented.toSorted()).toEqual(tables.map(({ name }) => name).toSorted());
});
