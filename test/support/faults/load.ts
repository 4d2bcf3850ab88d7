import { randomUUID } from 'node:crypto';

import type { Answer, HttpClient } from '../app/http-client.js';
import { codeOf } from '../app/until.js';

/** Everything that servers have acknowledged so far. */
export interface Ledger {
  /** Contacts that were created: their names by id. */
  readonly contacts: Map<string | number, string>;
  /** Keys that were created and not revoked: their secrets by id. */
  readonly keys: Map<string | number, string>;
  readonly revoked: Map<string | number, string>;
  /** How many promises it has made. */
  acknowledged: number;
}

export function createLedger(): Ledger {
  return { contacts: new Map(), keys: new Map(), revoked: new Map(), acknowledged: 0 };
}

/**
 * Creates contacts and keys and revokes keys, many at once, until the server is gone, and notes what was acknowledged.
 * Requests without an answer are in no list: they may have been carried out or not.
 *
 * @param admin the secret of a key that may do all that
 */
export async function loadUntilGone(
  server: HttpClient,
  { admin, ledger, workers }: { admin: string; ledger: Ledger; workers: number },
): Promise<void> {
  const work = async (worker: number) => {
    for (let turn = worker; ; turn++) {
      const task = TASKS[turn % TASKS.length] ?? createContact;
      const isGone = await task(server, admin, ledger).then(
        () => false,
        (error: unknown) => isConnectionLost(error) || Promise.reject(error as Error),
      );
      if (isGone) return;
      ledger.acknowledged += 1;
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
}

type Task = (server: HttpClient, admin: string, ledger: Ledger) => Promise<void>;

const createContact: Task = async (server, key, { contacts }) => {
  const firstName = randomUUID();
  const answer = await server.send('POST', '/api/v1/contacts', {
    key,
    body: { type: 'customer', firstName },
  });
  contacts.set(expectStatus(answer, 201).json.data?.id ?? '', firstName);
};

const createKey: Task = async (server, key, { keys }) => {
  const body = { name: 'Under load', scopes: ['contacts:read'] };
  const answer = await server.send('POST', '/api/v1/api-keys', { key, body });
  const { id = '', key: secret = '' } = expectStatus(answer, 201).json.data ?? {};
  keys.set(id, secret);
};

const revokeKey: Task = async (server, key, { keys, revoked }) => {
  const [first] = keys;
  if (first === undefined) return;
  const [id, secret] = first;
  // Off the list before it is sent: unless it is acknowledged, it may have been revoked or not.
  keys.delete(id);
  const body = { confirm: 'Under load' };
  expectStatus(await server.send('DELETE', `/api/v1/api-keys/${id}`, { key, body }), 204);
  revoked.set(id, secret);
};

const TASKS = [createContact, createKey, createContact, createKey, revokeKey];

function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status === status) return answer;
  throw new Error(`${status} was expected, not ${answer.status}: ${answer.text}`);
}

function isConnectionLost(error: unknown): boolean {
  return ['ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes(codeOf(error) ?? '');
}
