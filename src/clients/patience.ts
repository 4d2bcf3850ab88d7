/** The time that a request waits for another server where it can continue without its answer. */
export const PATIENCE_MS = 1000;

/**
 * Waits for work up to a time. Work that takes longer continues, and its failure is ignored.
 *
 * @returns `undefined` if the work takes longer
 * @throws the error of work that fails in time
 */
export async function within<Result>(
  ms: number,
  work: Promise<Result>,
): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
