/** The command was called in a way that cannot work; exit code 2. */
export class Misuse extends Error {
  /** @param usage how the command is called: lines of our own, printed below the message */
  constructor(
    message: string,
    readonly usage?: string,
  ) {
    super(message);
  }
}

/** The command was understood and refused; exit code 1. */
export class Refused extends Error {
  /** @param details printed below the message, each on a line of its own */
  constructor(
    message: string,
    readonly details: readonly string[] = [],
  ) {
    super(message);
  }
}
