import { setTimeout as pause } from 'node:timers/promises';

import type { Answer, HttpClient, RequestOptions } from '../app/http-client.js';

/** A request that is made over and over, and the one status that is right. */
export interface Errand {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly options: RequestOptions;
  readonly status: number;
}

/** Outcome of one request. Times are `performance.now()`. */
export interface Outcome {
  readonly errand: Errand;
  readonly sentAt: number;
  readonly endedAt: number;
  readonly answer: Answer;
}

/** Requests that continue until they are stopped. */
export interface Traffic {
  readonly outcomes: readonly Outcome[];
  /** Waits for the last answers. Throws if a connection to the server broke. */
  stop(): Promise<void>;
}

const PAUSE_MS = 5;

/** Begins to run errands, each by so many workers at once. */
export function startTraffic(
  server: HttpClient,
  errands: readonly Errand[],
  workersEach: number,
): Traffic {
  const outcomes: Outcome[] = [];
  let isStopped = false;
  const work = async (errand: Errand) => {
    while (!isStopped) {
      const outcome = await run(server, errand);
      outcomes.push(outcome);
      // A client that is turned away and asks again at once would only heat the processor.
      if (!isRight(outcome)) await pause(PAUSE_MS);
    }
  };
  const workers = Promise.allSettled(
    errands.flatMap((errand) => Array.from({ length: workersEach }, () => work(errand))),
  );
  return {
    outcomes,
    async stop() {
      isStopped = true;
      const failed = (await workers).find((worker) => worker.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}

/** Runs an errand once. */
export async function run(server: HttpClient, errand: Errand): Promise<Outcome> {
  const sentAt = performance.now();
  const answer = await server.send(errand.method, errand.path, errand.options);
  return { errand, sentAt, endedAt: performance.now(), answer };
}

export function isRight({ errand, answer }: Outcome): boolean {
  return answer.status === errand.status;
}

/** Whether it says "come back later", as a client may understand it. */
export function isUnavailable({ answer }: Outcome): boolean {
  return (
    answer.status === 503 &&
    answer.json.code === 'service_unavailable' &&
    Number(answer.headers['retry-after']) >= 1
  );
}

/** Those that are neither right nor "come back later", in words. */
export function findWrong(outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter((outcome) => !isRight(outcome) && !isUnavailable(outcome))
    .map(({ errand, answer }) => `${errand.name}: ${answer.status} ${answer.text}`);
}
