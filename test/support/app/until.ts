import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 10;

/**
 * Looks again and again until there is something to see. Tests wait for what happens, never for time to pass.
 *
 * @param look what is looked for; it throws or returns `undefined` or `false` as long as it isn't there
 * @param withinMs how long it may take
 * @param what for the message, should it take longer
 */
export async function until<Value>(
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  { withinMs = 10_000, what = look.toString() }: { withinMs?: number; what?: string } = {},
): Promise<Value> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    let reason: unknown;
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      reason = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`did not happen within ${withinMs} ms: ${what}`, { cause: reason });
    }
    await pause(LOOK_EVERY_MS);
  }
}

/** The `code` of a system error. Not by `instanceof`: Node's own errors are of another realm than jest's tests. */
export function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
