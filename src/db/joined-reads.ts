import type { EntityManager } from 'typeorm';

import { errorCode } from './errors.js';
import { prepared } from './prepared.js';

/** A read of one row, whose parameters are the columns `asked.p1`, `asked.p2`, … */
export interface JoinableRead {
  readonly name: string;
  /** A SELECT that answers exactly one row, whatever its parameters are. Its columns are neither `n` nor `asked`. */
  readonly text: string;
  /** The types of the parameters, of which none is NULL. */
  readonly types: readonly string[];
}

/** Reads that were made, by their names. */
const KEPT = new Map<string, JoinableRead>();

/**
 * Makes a read once. perf: its text is long, and the same for many calls.
 * @param name determines everything else
 */
export function keptRead(name: string, make: () => Omit<JoinableRead, 'name'>): JoinableRead {
  let read = KEPT.get(name);
  if (read === undefined) {
    read = { name, ...make() };
    KEPT.set(name, read);
  }
  return read;
}

interface Call {
  readonly values: readonly unknown[];
  readonly resolve: (row: never) => void;
  readonly reject: (error: unknown) => void;
}

interface Waiting {
  readonly read: JoinableRead;
  readonly calls: Call[];
}

/** A statement answers at most this many calls, so that a call waits for a few others only. */
const MAX_JOINED = 16;

/** The calls of this turn of the event loop, by the name of the read, for each connected database. */
const WAITING = new WeakMap<object, Map<string, Waiting>>();

/**
 * Runs a read. Outside of transactions, the same reads of one turn of the event loop become one statement, which costs
 * half as much for each (perf: decision 15). It is sent after this call, so it sees everything committed before it.
 * Each read has the cost of a page: a dear one would delay the others.
 *
 * @throws the database's error. A value that the database refuses fails the call alone to which it belongs
 */
export async function readJoined<Row>(
  manager: EntityManager,
  read: JoinableRead,
  values: readonly unknown[],
): Promise<Row> {
  if (manager.queryRunner !== undefined) {
    const [row] = await send(manager, read, [values]);
    return row as Row;
  }
  const { connection } = manager;
  let waiting = WAITING.get(connection);
  if (waiting === undefined) {
    waiting = new Map();
    WAITING.set(connection, waiting);
  }
  return new Promise((resolve, reject) => {
    const call = { values, resolve, reject };
    const others = waiting.get(read.name);
    if (others !== undefined) {
      others.calls.push(call);
      return;
    }
    waiting.set(read.name, { read, calls: [call] });
    if (waiting.size === 1) setImmediate(() => sendAll(manager, waiting));
  });
}

function sendAll(manager: EntityManager, waiting: Map<string, Waiting>): void {
  const all = [...waiting.values()];
  waiting.clear();
  for (const { read, calls } of all) {
    for (let start = 0; start < calls.length; start += MAX_JOINED) {
      void answer(manager, read, calls.slice(start, start + MAX_JOINED));
    }
  }
}

async function answer(manager: EntityManager, read: JoinableRead, calls: readonly Call[]) {
  try {
    const values = calls.map((call) => call.values);
    const rows = await send(manager, read, values);
    // Each call waits for rows of its own type, which the statement returns in the order of the calls.
    for (const [index, { resolve }] of calls.entries()) resolve(rows[index] as never);
  } catch (error) {
    if (calls.length > 1 && isDataFault(error)) {
      await Promise.all(calls.map((call) => answer(manager, read, [call])));
      return;
    }
    for (const { reject } of calls) reject(error);
  }
}

/** @returns the rows in the order of the calls */
async function send(
  manager: EntityManager,
  { name, text, types }: JoinableRead,
  calls: readonly (readonly unknown[])[],
): Promise<readonly object[]> {
  // Sub-selects hide the lengths of the arrays from the planner. It would plan for each length again, which costs more
  // than to read the pages.
  const arrays = types.map((type, index) => `(SELECT $${index + 1}::${type}[])`).join(', ');
  const columns = types.map((_, index) => `p${index + 1}`).join(', ');
  const found = await prepared(manager)<{ n: string }>(
    {
      name,
      text: `SELECT asked.n, answer.* FROM unnest(${arrays}) WITH ORDINALITY AS asked (${columns}, n)
        CROSS JOIN LATERAL (${text}) AS answer`,
    },
    types.map((_, index) => calls.map((values) => values[index])),
  );
  if (found.length !== calls.length) throw new Error(`${name} did not answer one row to each call`);
  const rows: object[] = [];
  for (const row of found) rows[Number(row.n) - 1] = row;
  return rows;
}

/** Class 22 of SQLSTATE: data exceptions. */
function isDataFault(error: unknown): boolean {
  return errorCode(error)?.startsWith('22') === true;
}
