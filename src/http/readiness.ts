/** Checks of the database, each with the word for a failure or timeout. */
export type Questions<Name extends string> = Readonly<
  Record<Name, { readonly ask: () => Promise<string>; readonly otherwise: string }>
>;

interface Probe<Name extends string> {
  /** A word for each check, within `ANSWER_WITHIN_MS`. */
  readonly words: Promise<Readonly<Record<Name, string>>>;
  /** Resolves when all checks have ended. */
  readonly settled: Promise<unknown>;
}

/** Below the usual timeout of load balancers, which is one or two seconds. */
const ANSWER_WITHIN_MS = 900;
/** Limits the cost of anonymous requests. Beyond it the latest result is repeated. */
const PROBES_PER_SECOND = 10;

/**
 * Shares probes of the database among requests. One probe runs at a time, so that a database that hangs is not
 * probed again and again.
 *
 * @param clock milliseconds of a monotonic clock
 * @returns runs or joins a probe, and returns its result within a second
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
