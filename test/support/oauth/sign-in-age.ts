import type { TestDatabase } from '../database/database.js';

/** Makes every session's sign-in so many seconds older, as if they had passed. `max_age` and `auth_time` count from it. */
export async function ageSignIns(database: TestDatabase, seconds: number): Promise<void> {
  await database.query(
    `UPDATE sessions SET payload =
       jsonb_set(payload, '{loginTs}', to_jsonb((payload ->> 'loginTs')::bigint - $1::bigint))
     WHERE payload ? 'loginTs'`,
    [seconds],
  );
}
