/**
 * The program cannot start, and the operator or the machine is the reason. The message is one clear sentence, shown alone
 * (no stack), and the exit code is 1.
 */
export class StartupError extends Error {
  override name = 'StartupError';
}
