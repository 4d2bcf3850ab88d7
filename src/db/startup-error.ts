/**
 * The program cannot start, for a reason that the operator can fix. The message is one sentence, shown without a
 * stack. The exit code is 1.
 */
export class StartupError extends Error {
  override name = 'StartupError';
}
