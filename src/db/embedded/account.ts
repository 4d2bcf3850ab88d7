import { readFile, stat } from 'node:fs/promises';
import { StartupError } from '../startup-error.js';
import type { Account } from './run-program.js';

/** Whether this process is root. PostgreSQL refuses to run as root. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The account PostgreSQL runs as: `undefined` (our own) unless we are root; then the owner of the existing cluster, else
 * `postgres`, else `nobody`.
 *
 * @throws StartupError when root has no such account.
 */
export async function findAccount(cluster: string): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const owner = await stat(cluster).catch(() => undefined);
  if (owner?.uid === 0) {
    throw new StartupError(
      `The database cluster ${cluster} belongs to root, as which PostgreSQL refuses to run.`,
    );
  }
  if (owner) return { uid: owner.uid, gid: owner.gid };
  const accounts = await readAccounts();
  const account = accounts.get('postgres') ?? accounts.get('nobody');
  if (account) return account;
  throw new StartupError(
    'PostgreSQL refuses to run as root, and the machine has neither an account "postgres" nor "nobody" to run it as: ' +
      'start Gatehouse as an ordinary user or set DATABASE_URL.',
  );
}

async function readAccounts(): Promise<Map<string, Account>> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const accounts = new Map<string, Account>();
  for (const line of passwd.split('\n')) {
    const [name, , uid, gid] = line.split(':');
    // An account with uid 0 is root by another name.
    if (name && Number(uid) > 0 && Number(gid) > 0) {
      accounts.set(name, { uid: Number(uid), gid: Number(gid) });
    }
  }
  return accounts;
}
