import { beforeAll, describe, expect, it } from '@jest/globals';

import { type TestKey } from '../../support/app/app.js';
import { useGatehouse } from '../../support/app/use-gatehouse.js';

/** Texts that could be taken for what stands between values, or for no value. */
const TEXTS = [
  'plain',
  '',
  ' ',
  'NULL',
  'null',
  String.raw`\N`,
  '"quoted", (a,b) {c}',
  `it's`,
  'a\\b',
  '',
  '',
  'ab',
  'ab',
  '',
  ''.repeat(9),
  'tab	line\nreturn\r',
  '',
  'Ünïcødé',
  '建設',
  '🏗️',
  '\u2028',
  '￿',
];

const TIMES = [
  ['2026-01-31 12:00:00+00', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31 12:00:00.5+00', '2026-01-31T12:00:00.500Z'],
  ['2026-01-31 12:00:00.05+00', '2026-01-31T12:00:00.050Z'],
  ['2026-01-31 12:00:00.123456+00', '2026-01-31T12:00:00.123Z'],
  ['2026-01-31 12:00:00.000999+00', '2026-01-31T12:00:00.000Z'],
  ['2026-02-01 00:59:59.999999+01', '2026-01-31T23:59:59.999Z'],
  ['1970-01-01 00:00:00+00', '1970-01-01T00:00:00.000Z'],
  ['9999-12-31 23:59:59.999+00', '9999-12-31T23:59:59.999Z'],
] as const;

describe('a page', () => {
  const gatehouse = useGatehouse();
  let tenantId: string;
  let key: TestKey;
  beforeAll(async () => {
    const tenant = await gatehouse.createTenant('acme');
    tenantId = tenant.id;
    key = await gatehouse.createKey(tenant);
  });

  const get = async (path: string) =>
    (await gatehouse.http.get(`/api/v1/${path}`).set(key.bearer).expect(200)).body.data;

  /** Fills the list again, oldest first, without the validation of the API. */
  async function fill(contacts: readonly object[]): Promise<void> {
    await gatehouse.database.query('DELETE FROM contacts', []);
    await gatehouse.database.query(
      `INSERT INTO contacts (tenant_id, environment, space_id, type, first_name, last_name, email,
         created_at, updated_at)
       SELECT $1, 'live', s.id, 'customer', first_name, last_name, email,
         coalesce(given.created_at, timestamptz '2026-01-01' + interval '1 second' * n),
         coalesce(given.created_at, timestamptz '2026-01-02')
       FROM spaces s, ROWS FROM (jsonb_to_recordset($2::jsonb) AS
           (first_name text, last_name text, email text, created_at timestamptz)) WITH ORDINALITY
         AS given (first_name, last_name, email, created_at, n)
       WHERE s.tenant_id = $1`,
      [tenantId, JSON.stringify(contacts)],
    );
  }

  it.each([...TEXTS.map((text) => [text]), TEXTS])('tells %j to the letter', async (...texts) => {
    const rows = texts.flatMap((text) => [
      { first_name: text, last_name: null, email: text },
      { first_name: null, last_name: text, email: null },
      { first_name: null, last_name: null, email: null },
    ]);
    await fill(rows);

    const listed = await get('contacts?limit=100');

    expect(
      listed.map(({ firstName, lastName, email }: Record<string, string | null>) => ({
        first_name: firstName,
        last_name: lastName,
        email,
      })),
    ).toEqual(rows.toReversed());
    for (const contact of listed.slice(0, 3)) {
      expect(await get(`contacts/${contact.id}`)).toEqual(contact);
    }
  });

  it('tells times to the millisecond, in UTC', async () => {
    await fill(TIMES.map(([time]) => ({ created_at: time })));

    const listed: { createdAt: string; updatedAt: string }[] = await get('contacts');

    const times = TIMES.map(([, told]) => told).toSorted();
    expect(listed.map(({ createdAt }) => createdAt).toSorted()).toEqual(times);
    expect(listed.map(({ updatedAt }) => updatedAt).toSorted()).toEqual(times);
  });
});
