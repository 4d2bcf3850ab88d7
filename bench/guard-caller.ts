import { readFileSync } from 'node:fs';

import { createGuard } from '../src/guard/index.js';

/** A service that asks for verdicts as fast as it can, for some seconds, and prints how many it got as JSON. */
const { URL: url = '', CREDENTIAL: credential = '', FILE = '', SECONDS, MODE } = process.env;
/** Calls at once. */
const CALLS = 2048;
/** Kept verdicts that a call takes in one turn. */
const PER_TURN = 8;

const keys = readFileSync(FILE, 'utf8').split('\n').slice(0, 1000);
const guard = createGuard({
  issuer: 'http://localhost:3000',
  url,
  credential,
  // The database is on the same core, and may write its log meanwhile.
  timeoutMs: 30_000,
  freshness: MODE === 'kept' ? { maxStaleMs: 5000 } : 'exact',
});
let verdicts = 0;
let isOver = false;

async function call(first: number): Promise<void> {
  for (let index = first; !isOver; index += 1) {
    const { verdict } = await guard.judge({ credential: keys[index % keys.length] ?? '' });
    if (!verdict.active) throw new Error(`refused: ${verdict.detail}`);
    verdicts += 1;
    // Kept verdicts would leave the event loop no turn.
    if ((index - first) % PER_TURN === PER_TURN - 1) await new Promise(setImmediate);
  }
}

/** Does what a caller does with answers, without asking for any. */
async function keepBusy(): Promise<void> {
  const answer = JSON.stringify(keys.map((key) => ({ active: true, key, scopes: ['a', 'b'] })));
  while (!isOver) {
    verdicts += (JSON.parse(answer) as unknown[]).length;
    await new Promise(setImmediate);
  }
}

const running =
  MODE === 'busy'
    ? keepBusy()
    : Promise.all(Array.from({ length: CALLS }, (_, index) => call(index)));
running.catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
await wait(2000);
process.stdout.write('warm\n');
const [before, from] = [verdicts, performance.now()];
await wait(Number(SECONDS) * 1000);
const perSecond = ((verdicts - before) / (performance.now() - from)) * 1000;
process.stdout.write(`${JSON.stringify({ verdicts: verdicts - before, perSecond })}\n`);
isOver = true;
await running;
guard.close();
