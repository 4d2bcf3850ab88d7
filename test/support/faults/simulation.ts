import { expect } from '@jest/globals';

import { runCleanup } from '../../../src/server/cleanup.js';
import { createRevocationStore } from '../../../src/credentials/revocation/revocation-store.js';
import { createTestApp, type TestApp } from '../app/app.js';
import {
  authorizeUrl,
  createBrowser,
  createPkce,
  createUser,
  registerClient,
  type TokenResponse,
} from '../oauth/oauth.js';
import {
  createInstaller,
  refresh,
  revoke,
  statusOf,
  type Installer,
} from '../oauth/token-families.js';

/** Days for which a refresh token lives, and how many installations of each kind there are. */
const LIVES = 30;
const EACH = 2;
/** Days for which revocations of what does not exist are kept. */
const REVOCATIONS_LIVE = 100;

/** An installation of the app, and how often it is used. */
interface Installation {
  readonly everyDays: number;
  tokens: TokenResponse;
  /** The last token that was consumed, and on which day. */
  old?: { readonly token: string | undefined; readonly issuedOn: number };
  usedOn: number;
}

/**
 * Upper bounds on any day, after any history. For a partitioned table this is the number of
 * partitions: the days or weeks ahead (3 days, 33 days), the one that is running, and the one that ended
 * less than a day ago.
 */
const PARTITIONS = {
  access_tokens: 5,
  // 400 days ahead, and a year behind, in spans of 30 days.
  audit_log: 30,
  // One for the queue of webhooks.
  job: 1,
  oauth_artifacts: 5,
  refresh_tokens: 4,
  // 60 days ahead and 13 months behind, in spans of 30 days.
  usage_counts: 18,
} as const;

const DAY_MS = 86_400_000;

/** An app whose limits in memory slide by simulated days too. */
export interface Simulated {
  readonly gatehouse: TestApp;
  readonly moveTo: (day: number) => void;
}

export async function createSimulated(): Promise<Simulated> {
  let shifted = 0;
  const gatehouse = await createTestApp({ GRANT_MAX_DAYS: '3650' }, () => Date.now() + shifted);
  return {
    gatehouse,
    moveTo(day) {
      shifted = day * DAY_MS;
    },
  };
}

/** Lives through so many days, a clean-up each, and looks every day at what is there. */
export async function simulate({ gatehouse, moveTo }: Simulated, days: number): Promise<void> {
  const tenant = await gatehouse.createTenant('acme');
  const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  const client = await registerClient(gatehouse);
  const installer = createInstaller(gatehouse, { client, user });
  const installations: Installation[] = [];
  for (const everyDays of [1, 5, 12, 29]) {
    for (let count = 0; count < EACH; count++) {
      installations.push({ everyDays, tokens: await installer.install(), usedOn: 0 });
    }
  }
  const forever: string[] = [];
  for (let day = 1; day <= days; day++) {
    moveTo(day);
    await gatehouse.database.shiftClock(`${day} days`);
    await runCleanup(gatehouse.dataSource, new AbortController().signal);
    const due = installations.filter(({ usedOn, everyDays }) => day - usedOn >= everyDays);
    await Promise.all(due.map((one) => use(gatehouse, installer, one, day)));
    await abandon(gatehouse, installer);
    if (day % 7 === 0) await comeAndGo(gatehouse, installer);
    if (day % 10 === 0) await reuse(gatehouse, installer, installations[day % 3], day);
    if (day % 20 === 0) forever.push(await endForever(gatehouse, day));
    await checkStorage(gatehouse, forever, day);
  }
}

/** A token that was neither consumed nor has expired works, every time. */
async function use(
  gatehouse: TestApp,
  { client }: Installer,
  one: Installation,
  day: number,
): Promise<void> {
  const answer = await refresh(gatehouse, client, one.tokens.refresh_token);
  expect([answer.status, day]).toEqual([200, day]);
  expect(await statusOf(gatehouse, one.tokens.access_token)).toBe(401);
  expect(await statusOf(gatehouse, answer.tokens.access_token)).toBe(200);
  one.old ??= { token: one.tokens.refresh_token, issuedOn: one.usedOn };
  one.tokens = answer.tokens;
  one.usedOn = day;
}

/** A sign-in page that is left open, and a code that is never redeemed. */
async function abandon(gatehouse: TestApp, installer: Installer): Promise<void> {
  const issuer = gatehouse.config.ISSUER;
  const { challenge } = createPkce();
  const parameters = { client_id: installer.client.client_id, code_challenge: challenge };
  await createBrowser({ origin: gatehouse.origin, issuer }).open(authorizeUrl(issuer, parameters));
  await installer.authorize();
}

/** An installation that logs out, and an access token that is revoked. */
async function comeAndGo(gatehouse: TestApp, installer: Installer): Promise<void> {
  const { access_token: access, refresh_token: token = '' } = await installer.install();
  expect(await revoke(gatehouse, installer.client, access)).toBe(200);
  expect(await statusOf(gatehouse, access)).toBe(401);
  expect(await revoke(gatehouse, installer.client, token)).toBe(200);
}

/** A consumed token ends its family until it expires; from then on it is merely unknown. */
async function reuse(
  gatehouse: TestApp,
  installer: Installer,
  one: Installation | undefined,
  day: number,
): Promise<void> {
  if (one?.old === undefined) return;
  const { token, issuedOn } = one.old;
  const { error } = await refresh(gatehouse, installer.client, token);
  expect(error).toBe('invalid_grant');
  delete one.old;
  const next = await refresh(gatehouse, installer.client, one.tokens.refresh_token);
  const isAlive = day - issuedOn >= LIVES;
  expect([next.status, day - issuedOn]).toEqual([isAlive ? 200 : 400, day - issuedOn]);
  one.tokens = isAlive ? next.tokens : await installer.install();
  one.usedOn = day;
}

/** Ends something that does not exist: kept for 100 days, unless it could be a key. */
async function endForever(gatehouse: TestApp, day: number): Promise<string> {
  const subject = `${['key', 'usr', 'cli', 'tnt'][(day / 20) % 4]}_of_day_${day}`;
  await gatehouse.dataSource.transaction((manager) =>
    createRevocationStore(manager).revoke(subject, 'operator', null),
  );
  return subject;
}

/**
 * A day issues up to 8 refreshes, 3 installations and 1 abandoned code. Rows live until they expire,
 * and then for a day and what is left of their partition's span at most (35 days for refresh tokens).
 */
async function checkStorage(gatehouse: TestApp, forever: readonly string[], day: number) {
  const { database } = gatehouse;
  const partitions = await database.query<{ parent: keyof typeof PARTITIONS; count: number }>(
    `SELECT inhparent::regclass::text AS parent, count(*)::int AS count
     FROM pg_inherits JOIN pg_partitioned_table ON partrelid = inhparent JOIN pg_class c ON c.oid = inhparent
     WHERE c.relkind = 'p' GROUP BY 1`,
  );
  expect(partitions).toHaveLength(Object.keys(PARTITIONS).length);
  for (const { parent, count } of partitions) {
    expect([parent, day, count <= PARTITIONS[parent]]).toEqual([parent, day, true]);
  }
  const [rows] = await database.query<Record<string, number>>(
    `SELECT (SELECT count(*) FROM access_tokens)::int AS access,
       (SELECT count(*) FROM refresh_tokens)::int AS refresh,
       (SELECT count(*) FROM oauth_artifacts)::int AS artifacts,
       (SELECT count(*) FROM grants)::int AS grants,
       (SELECT count(*) FROM grants WHERE keep_until <= gatehouse_now())::int AS over,
       (SELECT count(*) FROM grants g WHERE created_at < gatehouse_now() - interval '2 days'
          AND NOT EXISTS (SELECT FROM refresh_tokens r WHERE r.grant_id = g.id
            AND r.expires_at > gatehouse_now() - interval '2 days'))::int AS empty,
       (SELECT count(*) FROM sessions)::int AS sessions,
       (SELECT count(*) FROM revocations WHERE subject ~ '^(grt|tok)_')::int AS forgettable`,
  );
  const bounds = {
    access: 20 * 3,
    refresh: 20 * (LIVES + 36),
    artifacts: 20 * 3,
    grants: 16 + 3 * (LIVES + 2),
    over: 0,
    empty: 0,
    sessions: 3 * 15,
    forgettable: 2 * 33,
  };
  for (const [name, bound] of Object.entries(bounds)) {
    expect([name, day, Math.max(rows?.[name] ?? 0, bound)]).toEqual([name, day, bound]);
  }
  const kept = await database.query<{ subject: string }>(
    `SELECT subject FROM revocations WHERE subject ~ '_of_day_' ORDER BY seq`,
  );
  const isKept = (subject: string) =>
    subject.startsWith('key_') || day - Number(subject.split('_').at(-1)) < REVOCATIONS_LIVE;
  expect(kept.map(({ subject }) => subject)).toEqual(forever.filter(isKept));
}
