import type { TestApp, TestKey } from './app.js';

/** `POST /api/v1/contacts` with this key. */
export function postContact(
  { http }: TestApp,
  key: TestKey,
  body: object = { type: 'customer' },
  headers: Record<string, string> = {},
) {
  return http
    .post('/api/v1/contacts')
    .set({ ...key.bearer, ...headers })
    .send(body);
}

/** How many contacts are stored, for all tenants. */
export async function countContacts({ database }: TestApp): Promise<number> {
  const [row] = await database.query<{ count: number }>('SELECT count(*)::int FROM contacts');
  return row?.count ?? NaN;
}
