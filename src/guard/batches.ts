import { MAX_IN_FLIGHT, type Connection } from './connection.js';
import { now, type Moment } from './moments.js';
import { QuestionError, UnavailableError, type Question, type Verdict } from './types.js';
import { detailOf, invalidQuestions, readVerdicts } from './verify-answer.js';

/** A verdict, with the time at which the request that asked for it was sent. It was read later than that. */
export interface Asked {
  readonly verdict: Verdict;
  readonly sentAt: Moment;
  /** Gatehouse's clock at its answer, in milliseconds since the epoch; the own clock if it did not say. */
  readonly answeredAt: number;
}

/** A question on its way, and how many requests its cost stands for. */
export type Outgoing = Question & { readonly requests?: number };

/** Asks about credentials. Calls of one turn of the event loop travel in one request. */
export interface Batches {
  /**
   * @throws UnavailableError if there is no answer in time
   * @throws QuestionError if Gatehouse does not accept the question
   */
  ask(question: Outgoing): Promise<Asked>;
  close(): void;
}

interface Call {
  readonly json: string;
  readonly bytes: number;
  readonly isRepeatable: boolean;
  readonly calledAt: number;
  resolve(asked: Asked): void;
  reject(error: Error): void;
}

const PATH = '/api/v1/verify';
/** Gatehouse takes 256. A verdict costs it a fifth less in requests of this size, whose answers fit into its caches. */
const MAX_CALLS = 64;
/** Gatehouse reads bodies of up to 256 KiB. A single question stays far below. */
const MAX_BYTES = 200_000;
/** Calls that wait. More are refused at once. */
const MAX_WAITING = 20_000;

export function createBatches(connection: Connection, timeoutMs: number): Batches {
  const exchange = createExchange(connection);
  let waiting: Call[] = [];
  let inFlight = 0;
  let isScheduled = false;
  let isClosed = false;

  function schedule(): void {
    if (isScheduled || waiting.length === 0 || inFlight >= MAX_IN_FLIGHT) return;
    isScheduled = true;
    // After the other callbacks of this turn, whose calls join.
    setImmediate(() => {
      isScheduled = false;
      while (waiting.length > 0 && inFlight < MAX_IN_FLIGHT) {
        const batch = waiting.slice(0, countOfBatch(waiting));
        waiting = waiting.slice(batch.length);
        void send(batch);
      }
    });
  }

  async function send(calls: readonly Call[]): Promise<void> {
    const time = performance.now();
    const batch = calls.filter((call) => {
      const isLate = time - call.calledAt >= timeoutMs;
      if (isLate) call.reject(new UnavailableError('Gatehouse did not answer in time'));
      return !isLate;
    });
    if (batch.length === 0) return;
    const oldest = Math.min(...batch.map(({ calledAt }) => calledAt));
    inFlight += 1;
    try {
      waiting.push(...(await exchange(batch, timeoutMs - (time - oldest))));
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      for (const call of batch) call.reject(failure);
    } finally {
      inFlight -= 1;
      schedule();
    }
  }

  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        if (isClosed || waiting.length >= MAX_WAITING) {
          const reason = isClosed ? 'The guard is closed' : 'Too many calls wait for Gatehouse';
          reject(new UnavailableError(reason));
          return;
        }
        waiting.push(callOf(question, { resolve, reject }));
        schedule();
      }),
    close() {
      isClosed = true;
      for (const call of waiting) call.reject(new UnavailableError('The guard is closed'));
      waiting = [];
    },
  };
}

function callOf(question: Outgoing, answer: Pick<Call, 'resolve' | 'reject'>): Call {
  const json = JSON.stringify(question);
  return {
    ...answer,
    json,
    bytes: Buffer.byteLength(json),
    // A proof works once. Budgets may count a repeated question twice.
    isRepeatable: question.dpop === undefined,
    calledAt: performance.now(),
  };
}

/** How many of the calls fit into one request. */
function countOfBatch(calls: readonly Call[]): number {
  let count = 0;
  let bytes = 0;
  for (const call of calls) {
    if (count === MAX_CALLS || (count > 0 && bytes + call.bytes > MAX_BYTES)) break;
    count += 1;
    bytes += call.bytes + 1;
  }
  return count;
}

/**
 * Makes the function that sends calls in one request, and answers them.
 * @returns the calls that must be asked again, because another one of the request was not accepted
 * @throws UnavailableError
 */
function createExchange(connection: Connection) {
  return async (batch: readonly Call[], timeoutMs: number): Promise<readonly Call[]> => {
    const sentAt = now();
    const body = `{"credentials":[${batch.map(({ json }) => json).join(',')}]}`;
    const canRepeat = batch.every(({ isRepeatable }) => isRepeatable);
    const { status, date, body: text } = await connection.post(PATH, body, timeoutMs, canRepeat);
    if (status === 422) return refuse(batch, invalidQuestions(text));
    if (status !== 200) {
      throw new UnavailableError(`Gatehouse answered ${status} at ${PATH}${detailOf(text)}`);
    }
    const verdicts = readVerdicts(text, batch.length);
    const answered = date === undefined ? Number.NaN : Date.parse(date);
    // `Date` is cut off to the second.
    const answeredAt = Number.isNaN(answered) ? Date.now() : answered + 1000;
    batch.forEach((call, index) => {
      const verdict = verdicts[index];
      if (verdict === undefined) call.reject(new UnavailableError('Gatehouse left out a verdict'));
      else call.resolve({ verdict, sentAt, answeredAt });
    });
    return [];
  };
}

/** Refuses the calls that Gatehouse does not accept. @returns the others */
function refuse(batch: readonly Call[], faults: ReadonlyMap<number, string>): readonly Call[] {
  return batch.filter((call, index) => {
    const fault = faults.get(index);
    const isAccepted = faults.size > 0 && fault === undefined;
    if (!isAccepted) {
      call.reject(new QuestionError(`Gatehouse does not accept the question: ${fault ?? ''}`));
    }
    return isAccepted;
  });
}
