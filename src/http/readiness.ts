/** Questions to the database, and what to tell where one is not answered in time or with an error. */
export type Questions<Name extends string> = Readonly<
  Record<Name, { readonly ask: () => Promise<string>; readonly otherwise: string }>
>;

interface Probe<Name extends string> {
  /** A word for each question; known within `ANSWER_WITHIN_MS`. */
  readonly words: Promise<Readonly<Record<Name, string>>>;
  /** Resolves when nothing of it is under way any more. */
  readonly settled: Promise<unknown>;
}

/** A balancer gives up after a second or two. */
const ANSWER_WITHIN_MS = 900;
/** Anybody may ask: so many probes a second are made, and then the latest words are told again. */
const PROBES_PER_SECOND = 10;

/**
 * Shares probes among all who ask, so that asking costs the database little however often it is done. One probe is
 * under way at a time, also one that hangs: a database that does not answer is not asked more and more.
 *
 * @param clock milliseconds, monotonic
 * @returns asks, and answers within a second
 */
export function createReadiness<Name extends string>(
  questions: Questions<Name>,
  clock: () => number = () => performance.now(),
): () => Promise<Readonly<Record<Name, string>>> {
  let latest: Probe<Name> | undefined;
  let isUnderWay = false;
  let allowance = PROBES_PER_SECOND;
  let refilledAt = clock();

  const mayProbe = () => {
    const now = clock();
    const refilled = allowance + ((now - refilledAt) * PROBES_PER_SECOND) / 1000;
    refilledAt = now;
    allowance = Math.min(PROBES_PER_SECOND, refilled);
    if (allowance < 1) return false;
    allowance -= 1;
    return true;
  };

  return () => {
    if (latest === undefined || (!isUnderWay && mayProbe())) {
      const probe = start(questions);
      latest = probe;
      isUnderWay = true;
      void probe.settled.then(() => {
        isUnderWay = false;
      });
    }
    return latest.words;
  };
}

function start<Name extends string>(questions: Questions<Name>): Probe<Name> {
  const names = Object.keys(questions) as Name[];
  const answers = names.map((name) => questions[name].ask());
  const words = names.map(async (name, index) => {
    const { otherwise } = questions[name];
    const answer = answers[index]?.catch(() => otherwise) ?? otherwise;
    return [name, await withTimeout(ANSWER_WITHIN_MS, answer, otherwise)] as const;
  });
  return {
    words: Promise.all(words).then((all) => Object.fromEntries(all) as Record<Name, string>),
    settled: Promise.allSettled(answers),
  };
}

async function withTimeout<Value>(
  ms: number,
  value: Promise<Value> | Value,
  otherwise: Value,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<Value>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  try {
    return await Promise.race([value, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
