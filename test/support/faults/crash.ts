import { inParallel } from '../app/parallel.js';
import type { Answer } from '../app/http-client.js';
import { createLedger, loadUntilGone, type Ledger } from './load.js';
import type { ServerProcess } from '../process/server-process.js';
import { until } from '../app/until.js';

const WORKERS = 8;
const CHECKS_AT_ONCE = 16;

/**
 * Starts a server, loads it until it has made some promises, and lets it crash, again and again. At every start all
 * promises of before must hold.
 *
 * @param start starts a server on what the last one left; `admin` is the secret of a key that may do anything
 * @param crash ends the server without any warning
 * @returns the promises, and those that were broken, in words
 */
export async function crashRepeatedly({
  times,
  start,
  crash,
}: {
  times: number;
  start: () => Promise<{ server: ServerProcess; admin: string }>;
  crash: (server: ServerProcess) => Promise<unknown>;
}): Promise<{ ledger: Ledger; broken: string[] }> {
  const ledger = createLedger();
  for (let crashes = 0; ; crashes++) {
    const { server, admin } = await start();
    const broken = await findBroken(server, admin, ledger);
    if (crashes === times || broken.length > 0) return { ledger, broken };
    // Not the same number each time, so that it doesn't always hit the same spot.
    const enough = ledger.acknowledged + 50 + Math.floor(Math.random() * 150);
    const load = loadUntilGone(server, { admin, ledger, workers: WORKERS });
    await Promise.race([load, until(() => ledger.acknowledged >= enough)]);
    await crash(server);
    await load;
  }
}

/** Asks a server about every promise; returns those that it doesn't keep, in words. */
async function findBroken(server: ServerProcess, admin: string, ledger: Ledger): Promise<string[]> {
  const { contacts, keys, revoked } = ledger;
  const checks = [
    ...[...contacts].map(([id, name]) => ({
      path: `/api/v1/contacts/${id}`,
      key: admin,
      isKept: ({ status, json }: Answer) => status === 200 && json.data?.firstName === name,
    })),
    ...[...keys.values()].map((key) => ({
      path: '/api/v1/me',
      key,
      isKept: ({ status }: Answer) => status === 200,
    })),
    ...[...revoked.values()].map((key) => ({
      path: '/api/v1/me',
      key,
      isKept: ({ status }: Answer) => status === 401,
    })),
  ];
  const broken: string[] = [];
  await inParallel(checks.length, CHECKS_AT_ONCE, async (index) => {
    const check = checks[index];
    if (check === undefined) return;
    const answer = await server.send('GET', check.path, { key: check.key });
    if (!check.isKept(answer)) broken.push(`${check.path}: ${answer.status} ${answer.text}`);
  });
  return broken;
}
